"""Thresholds by their definitions: every pair is looked at, one by one."""

import math


def cosine(one, other):
    return math.fsum(float(a) * float(b) for a, b in zip(one, other))


def list_pairs(views, at, originals, left_out=()):
    """Return (cosine, is its own original) of every view and original; pairs of images may be left out."""
    found = []
    for view, image in zip(views, at):
        for other, original in enumerate(originals):
            if (image, other) not in left_out and (other, image) not in left_out:
                found.append((cosine(view, original), image == other))
    return found


def auc(pairs):
    own = [score for score, same in pairs if same]
    others = [score for score, same in pairs if not same]
    wins = sum(1.0 if p > q else 0.5 if p == q else 0.0 for p in own for q in others)
    return wins / (len(own) * len(others))


def uap(pairs):
    """Mean precision at the right pairs of one list; among equal scores wrong pairs come first."""
    ranked = sorted(pairs, key=lambda pair: (-pair[0], pair[1]))
    right, precisions = 0, []
    for rank, (_, same) in enumerate(ranked, start=1):
        if same:
            right += 1
            precisions.append(right / rank)
    return sum(precisions) / len(precisions)


def kept_and_let_in(pairs, threshold):
    kept = sum(same and score >= threshold for score, same in pairs)
    let_in = sum(not same and score >= threshold for score, same in pairs)
    return kept, let_in


def recall_at_precision(pairs, precision):
    """Greatest share of right pairs that is kept at a threshold with at least a precision."""
    count, best = sum(same for _, same in pairs), 0
    for threshold in {score for score, _ in pairs}:
        kept, let_in = kept_and_let_in(pairs, threshold)
        if kept and kept / (kept + let_in) >= precision:
            best = max(best, kept)
    return best / count


def recall_at_rate(pairs, rate):
    """Greatest share of right pairs that is kept at a threshold that lets in at most a rate of the others."""
    count = sum(same for _, same in pairs)
    others, best = len(pairs) - count, 0
    for threshold in {score for score, _ in pairs}:
        kept, let_in = kept_and_let_in(pairs, threshold)
        if let_in <= rate * others:
            best = max(best, kept)
    return best / count


def auc_variance(views, at, originals):
    """Variance of the AUC by changing the weight of one image after the other, numerically."""
    images = len(originals)

    def weighted(weights):
        wins = total = 0.0
        for view, image in zip(views, at):
            own = cosine(view, originals[image])
            for second, home in zip(views, at):
                for other, original in enumerate(originals):
                    if home != other:
                        weight = weights[image] * weights[home] * weights[other]
                        score = cosine(second, original)
                        wins += weight * (1.0 if own > score else 0.5 if own == score else 0.0)
                        total += weight
        return wins / total

    step, squares = 1e-4, 0.0
    for image in range(images):
        ends = [weighted([1 + side * step * (at == image) for at in range(images)]) for side in (1, -1)]
        squares += ((ends[0] - ends[1]) / (2 * step)) ** 2
    return squares * images / (images - 1)
