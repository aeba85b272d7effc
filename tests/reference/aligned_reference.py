"""Aligned patch, edge and detail similarity, written pixel by pixel from their definitions.

A map gives for each pixel of the view the column and row of the place in the original that it shows; NaN
where it shows nothing. Only maps to whole pixels are read, so that nothing is interpolated.
"""

import math

import numpy as np

from tests.reference.metrics_reference import grayscale


def moved(original, places):
    """The original in the view's frame, and which pixels show something of it."""
    height, width = places.shape[:2]
    pixels, seen = np.zeros((height, width, 3)), np.zeros((height, width), bool)
    for row in range(height):
        for column in range(width):
            x, y = (float(place) for place in places[row, column])
            if not math.isnan(x) and 0 <= x < original.shape[1] and 0 <= y < original.shape[0]:
                pixels[row, column], seen[row, column] = original[int(y), int(x)], True
    return pixels, seen


def cells(height, width, count):
    """The places of each cell's pixels; the remainder at the right and the bottom belongs to none."""
    high, wide = height // count, width // count
    for top in range(count):
        for left in range(count):
            yield [
                (row, column)
                for row in range(top * high, (top + 1) * high)
                for column in range(left * wide, (left + 1) * wide)
            ]


def patch_similarity(original, view, places):
    """Mean of 1 / (1 + MSE / 255²) over the cells of a 4 x 4 grid that have a seen pixel."""
    before, seen = moved(original, places)
    scores = []
    for cell in cells(*seen.shape, 4):
        squares = [
            (float(before[place][channel]) - float(view[place][channel])) ** 2
            for place in cell
            if seen[place]
            for channel in range(3)
        ]
        if squares:
            scores.append(1 / (1 + math.fsum(squares) / len(squares) / 255**2))
    return math.fsum(scores) / len(scores) if scores else math.nan


def edge_similarity(original, view, places):
    """One minus the mean difference of edges over pixels whose neighbours in the image are all seen."""
    before, seen = moved(original, places)
    height, width = seen.shape

    def kept(row, column):
        around = [(row, column), (row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        return all(seen[y, x] for y, x in around if 0 <= y < height and 0 <= x < width)

    def slope(gray, row, column, *, down, right):
        y, x = min(row + down, height - 1), min(column + right, width - 1)
        v, u = max(row - down, 0), max(column - right, 0)
        return (gray[y, x] - gray[v, u]) / ((y - v) + (x - u))

    def edges(pixels):
        gray = grayscale(pixels)
        found = [
            abs(slope(gray, *place, down=1, right=0)) + abs(slope(gray, *place, down=0, right=1))
            for place in inner
        ]
        return [one / max(found) if max(found) > 0 else 0.0 for one in found]

    inner = [(row, column) for row in range(height) for column in range(width) if kept(row, column)]
    if not inner:
        return math.nan
    differences = [abs(one - other) for one, other in zip(edges(before), edges(view), strict=True)]
    return 1 - math.fsum(differences) / len(differences)


def detail_similarity(original, view, places):
    """Mean ratio of the smaller to the greater deviation over textured cells with two seen pixels or more."""
    before, seen = moved(original, places)
    grays = grayscale(before), grayscale(view)

    def deviation(values):
        middle = math.fsum(values) / len(values)
        return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / len(values))

    scores = []
    for cell in cells(*seen.shape, 8):
        kept = [place for place in cell if seen[place]]
        if len(kept) < 2:
            continue
        one, other = (deviation([float(gray[place]) for place in kept]) for gray in grays)
        if one >= 1e-6:
            scores.append(min(one, other) / max(one, other))
    return math.fsum(scores) / len(scores) if scores else math.nan
