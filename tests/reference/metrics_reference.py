"""Slow, literal float64 reference of the supplement's equations (4)-(12).

Written for checking, not for use: one pair of images at a time, plain loops, no
shared code with any implementation under test. Every array is converted to
float64 first. Shapes: images are (H, W, 3) uint8 RGB; attention maps (m, n).
"""

from __future__ import annotations

import math

import numpy as np


def cosine_similarity(u, v) -> float:
    """Eq. (4)."""
    u, v = np.asarray(u, float), np.asarray(v, float)
    product = sum(a * b for a, b in zip(u, v))
    return float(product / (math.sqrt(sum(a * a for a in u)) * math.sqrt(sum(b * b for b in v))))


def l2_distance(u, v) -> float:
    """Eq. (5), on the embeddings exactly as given (the paper does not normalise them)."""
    u, v = np.asarray(u, float), np.asarray(v, float)
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(u, v)))


def attention_similarity(original, augmented) -> float:
    """Eq. (6): maps of one shape (m, n) from `attention_map`, in [0, 1]."""
    a, b = np.asarray(original, float), np.asarray(augmented, float)
    m, n = a.shape
    total = 0.0
    for i in range(m):
        for j in range(n):
            total += (a[i, j] - b[i, j]) ** 2
    return 1.0 / (1.0 + total / (m * n))


def attention_map(row, rows: int, columns: int, height: int, width: int) -> np.ndarray:
    """S7: the class token's attention over rows x columns patches, drawn over an image of height x width.

    Bilinear with half-pixel centres, edges repeated, then min-max; a constant map has no
    contrast to compare and becomes nan everywhere.
    """
    grid = np.asarray(row, float).reshape(rows, columns)

    def neighbours(position: int, out: int, cells: int):
        x = (position + 0.5) * cells / out - 0.5
        low = math.floor(x)
        return max(low, 0), min(low + 1, cells - 1), x - low

    out = np.empty((height, width))
    for i in range(height):
        top, bottom, fy = neighbours(i, height, rows)
        for j in range(width):
            left, right, fx = neighbours(j, width, columns)
            above = grid[top, left] * (1 - fx) + grid[top, right] * fx
            below = grid[bottom, left] * (1 - fx) + grid[bottom, right] * fx
            out[i, j] = above * (1 - fy) + below * fy
    spread = out.max() - out.min()
    return (out - out.min()) / spread if spread > 0 else np.full_like(out, math.nan)


def _grid(height: int, width: int, cells: int):
    """Cells of a grid by integer division (A.1.3): the remainder at the right and bottom is dropped."""
    ch, cw = height // cells, width // cells
    for row in range(cells):
        for col in range(cells):
            yield slice(row * ch, (row + 1) * ch), slice(col * cw, (col + 1) * cw)


def patch_similarity(original, augmented) -> float:
    """Eqs. (7), (8): a 4 x 4 grid, RGB mean squared error per cell, in real numbers (not in uint8)."""
    a, b = np.asarray(original).astype(float), np.asarray(augmented).astype(float)
    scores = []
    for rows, cols in _grid(a.shape[0], a.shape[1], 4):
        difference = a[rows, cols, :3] - b[rows, cols, :3]
        mse = float((difference**2).sum() / difference.size)
        scores.append(1.0 / (1.0 + mse / 255.0**2))
    return sum(scores) / 16.0


def grayscale(image) -> np.ndarray:
    """A.1.3: 0.299 R + 0.587 G + 0.114 B, not rounded."""
    image = np.asarray(image).astype(float)
    return 0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2]


def _finite_difference(gray: np.ndarray, axis: int) -> np.ndarray:
    """Central differences inside, one-sided at the two borders (numpy.gradient's scheme)."""
    gray = np.moveaxis(gray, axis, 0)
    out = np.empty_like(gray)
    out[0], out[-1] = gray[1] - gray[0], gray[-1] - gray[-2]
    for i in range(1, gray.shape[0] - 1):
        out[i] = (gray[i + 1] - gray[i - 1]) / 2.0
    return np.moveaxis(out, 0, axis)


def edge_map(image) -> np.ndarray:
    """Eqs. (10), (11): |Gx| + |Gy| over its own maximum; a map that is zero everywhere stays zero."""
    gray = grayscale(image)
    edges = abs(_finite_difference(gray, 1)) + abs(_finite_difference(gray, 0))
    peak = edges.max()
    return edges / peak if peak > 0 else edges


def edge_similarity(original, augmented) -> float:
    """Eq. (9)."""
    a, b = edge_map(original), edge_map(augmented)
    return 1.0 - float(abs(a - b).sum() / a.size)


def detail_similarity(original, augmented, uniform: float = 1e-6) -> float:
    """Eq. (12): an 8 x 8 grid of grayscale cells, ratio of standard deviations sigma(P') / sigma(P).

    Cells whose original deviation is below `uniform` are left out; a cell that the
    augmentation flattens counts 0; with no valid cell the value is undefined (nan).
    """
    a, b = grayscale(original), grayscale(augmented)
    scores = []
    for rows, cols in _grid(a.shape[0], a.shape[1], 8):
        before, after = float(a[rows, cols].std()), float(b[rows, cols].std())
        if before < uniform:
            continue
        scores.append(0.0 if after == 0.0 else math.exp(-abs(math.log(after / before))))
    return sum(scores) / len(scores) if scores else float("nan")
