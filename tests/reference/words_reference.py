"""The tests of words written a second time: flip by flip, word by word, in plain Python."""

import itertools
import math

import numpy as np


def dot(first, second):
    return math.fsum(a * b for a, b in zip(first, second, strict=True))


def centred(texts):
    mean = [math.fsum(column) / len(texts) for column in zip(*texts, strict=True)]
    return [[a - b for a, b in zip(text, mean, strict=True)] for text in texts]


def statistic(values, signs):
    """T of the projections of one word; None where it is undefined."""
    length = math.sqrt(math.fsum(value**2 for value in values))
    return dot(values, signs) / length if length > 1e-9 else None


def name_directions(shifts, texts):
    """T and adjusted p of every word, and the line, by all 2ⁿ flips; None where an image has no view."""
    texts = centred(texts)
    tables = {
        name: [[0.0 if row is None else dot(row, text) for row in rows] for text in texts]
        for name, rows in shifts.items()
    }
    images = len(next(iter(shifts.values())))
    seen = {
        (name, at): statistic(values, [1] * images)
        for name, table in tables.items()
        for at, values in enumerate(table)
    }
    reached, null = dict.fromkeys(seen, 0), []
    for signs in itertools.product((-1, 1), repeat=images):
        found = [statistic(values, signs) for table in tables.values() for values in table]
        greatest = max(abs(one) for one in found if one is not None)
        null.append(greatest)
        for key, t in seen.items():
            reached[key] += t is not None and greatest >= abs(t) - 1e-9
    # The least value that fewer than 5 % of the flips exceed or equal, once it is exceeded itself.
    line = next(one for one in sorted(null) if sum(other > one for other in null) < 0.05 * len(null))
    return seen, {key: count / 2**images for key, count in reached.items()}, line


def softmax(values):
    most = max(values)
    raised = [math.exp(value - most) for value in values]
    return [one / math.fsum(raised) for one in raised]


def jensen_shannon(p, q):
    """In bits."""

    def relative(first, second):
        return math.fsum(a * math.log2(a / b) for a, b in zip(first, second, strict=True) if a > 0)

    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return relative(p, middle) / 2 + relative(q, middle) / 2


def margin(cosines, label):
    return cosines[label] - max(one for at, one in enumerate(cosines) if at != label)


def compare_labels(clean, view, labels, *, scale):
    """Flip, margin drop, effective invariance and divergence of one view."""
    before, after = [dot(clean, one) for one in labels], [dot(view, one) for one in labels]
    first, second = before.index(max(before)), after.index(max(after))
    p, q = softmax([scale * one for one in before]), softmax([scale * one for one in after])
    same = first == second
    return (
        0.0 if same else 1.0,
        margin(before, first) - margin(after, first),
        math.sqrt(p[first] * q[second]) if same else 0.0,
        jensen_shannon(p, q),
    )


def compare_captions(clean, view, captions, owner, image):
    """Drop of the mean cosine with an image's own captions, and whether original and view find one."""
    own = [text for text, at in zip(captions, owner, strict=True) if at == image]
    if not own:
        return math.nan, math.nan, math.nan

    def finds(vector):
        greatest = max(dot(vector, text) for text in captions)
        return 1.0 if any(dot(vector, text) >= greatest - 1e-12 for text in own) else 0.0

    drop = math.fsum(dot(clean, text) - dot(view, text) for text in own) / len(own)
    return drop, finds(clean), finds(view)


def explained(chooses, other, texts, *, best):
    """Share of ``other`` in the span of the texts chosen one by one for ``chooses``; by least squares."""
    chosen, left = [], np.array(chooses)
    for _ in range(best):
        cosines = [abs(left @ text) / np.linalg.norm(text) for text in texts]
        chosen.append(texts[cosines.index(max(cosines))])
        span = np.array(chosen).T
        left = chooses - span @ np.linalg.lstsq(span, chooses, rcond=None)[0]
    rest = other - span @ np.linalg.lstsq(span, other, rcond=None)[0]
    return 1 - (rest @ rest) / (other @ other)


def share_of_words(shifts, texts, *, best, splits, seed):
    """Mean share over random halves, which numpy's generator permutes, each choosing once for the other."""
    texts, rng = np.array(centred(texts.tolist())), np.random.default_rng((seed, 1))
    found = []
    for _ in range(splits):
        order = rng.permutation(len(shifts))
        middle = (len(shifts) + 1) // 2
        first, second = shifts[order[:middle]].mean(axis=0), shifts[order[middle:]].mean(axis=0)
        found.append(explained(first, second, texts, best=best))
        found.append(explained(second, first, texts, best=best))
    return sum(found) / len(found)


def smallest_ball(points):
    """Radius and centre of the smallest ball: that of some few points, tried one set after another."""
    points = np.array(points)
    best = (math.inf, points[0])
    for size in range(1, min(len(points), points.shape[1] + 1) + 1):
        for chosen in itertools.combinations(points, size):
            first, rest = chosen[0], np.array(chosen[1:]).reshape(-1, points.shape[1])
            # The centre of least norm through all of them: 2 (x − x₀)·(c − x₀) = ‖x − x₀‖².
            sides = rest - first
            centre = first + np.linalg.lstsq(2 * sides, (sides**2).sum(axis=1), rcond=None)[0]
            radius = np.linalg.norm(points - centre, axis=1).max()
            best = min(best, (radius, centre), key=lambda one: one[0])
    return best
