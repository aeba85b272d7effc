"""Labels chosen for an image and for its views, as a zero-shot classifier chooses them."""

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float64, Int64

from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES, Intervals
from embshift.analysis.words.summaries import BLOCK, flatten_draws, summarise
from embshift.analysis.words.vectors import check_units
from embshift.core.errors import PlanError

__all__ = ["LABEL_MEASURES", "LabelShifts", "compare_labels", "find_flips"]

LABEL_MEASURES = (
    "flip_rate",
    "margin_drop",
    "invariance",
    "divergence",
    "accuracy_before",
    "accuracy_after",
)
"""The measures of `LabelShifts.estimates`, in order."""

_BOUNDS = {
    "flip_rate": (0.0, 1.0),
    "margin_drop": (-4.0, 4.0),
    "invariance": (0.0, 1.0),
    "divergence": (0.0, 1.0),
    "accuracy_before": (0.0, 1.0),
    "accuracy_after": (0.0, 1.0),
}
_PROPORTIONS = frozenset({"flip_rate", "accuracy_before", "accuracy_after"})
_CROWDED = frozenset({"invariance", "divergence"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelShifts:
    """The labels of images and of their views under one transform.

    Arrays over views have one row per image and one column per draw, NaN where a view or its original is
    missing. Several axes of draws are one here, the last running fastest.

    Attributes:
        label: Position of the label chosen for each original; −1 where it is missing.
        view_label: The same for each view.
        margin: Cosine of the original with its label minus the greatest with any other label, from 0 to 2.
        flipped: 1 where a view's label differs from its original's, else 0.
        margin_drop: Margin minus that of the view for the same label, which is below 0 where the view prefers
            another one; from −4 to 4.
        invariance: Effective invariance: 0 where the label flips, else √(p p′) with the two softmax
            probabilities of the label.
        divergence: Jensen–Shannon divergence of the two softmaxes, in bits, from 0 to 1.
        sigmoid: Sigmoid of the original's logit for its label; NaN for an encoder without a bias.
        view_sigmoid: The same for each view, for its original's label.
        right_before: 1 where the original's label is the true one, else 0; NaN where that is not known.
        right_after: The same for each view.
        estimates: Means over images of `LABEL_MEASURES`, with intervals.
        level: Coverage of each interval.
    """

    label: Int64[np.ndarray, " images"]
    view_label: Int64[np.ndarray, "images draws"]
    margin: Float64[np.ndarray, " images"]
    flipped: Float64[np.ndarray, "images draws"]
    margin_drop: Float64[np.ndarray, "images draws"]
    invariance: Float64[np.ndarray, "images draws"]
    divergence: Float64[np.ndarray, "images draws"]
    sigmoid: Float64[np.ndarray, " images"]
    view_sigmoid: Float64[np.ndarray, "images draws"]
    right_before: Float64[np.ndarray, " images"]
    right_after: Float64[np.ndarray, "images draws"]
    estimates: Intervals
    level: float

    def measure(self, name: str) -> tuple[float, float, float]:
        """Return the mean of a measure and the ends of its interval, which are NaN if it has none."""
        at = LABEL_MEASURES.index(name)
        found = self.estimates
        return float(found.mean[at]), float(found.low[at]), float(found.high[at])


def compare_labels(
    clean: Float64[np.ndarray, "_images _dim"],
    views: Float64[np.ndarray, "..."],
    labels: Float64[np.ndarray, "_labels _dim"],
    *,
    scale: float,
    bias: float | None = None,
    truth: Int64[np.ndarray, " _images"] | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> LabelShifts:
    """Compare the labels that an encoder chooses for images with those for their views.

    The label of an embedding is the one of greatest cosine; of equal ones the first. Probabilities are the
    softmax of scale · cosine over the labels, for encoders trained with a sigmoid too: a bias, the same for
    all labels, does not change it.

    Args:
        clean: Embeddings of the originals, of length 1; NaN where missing.
        views: Embeddings of their views, of length 1, (images, draws, dim), also with several axes of draws.
        labels: Text vectors of the labels, of length 1.
        scale: Factor of the cosine in the encoder's logits, above 0.
        bias: Number added to these logits, for the sigmoids; None if there is none.
        truth: Position of each image's true label; −1 where it is not known.
        resamples: Number of resamples of the images, for intervals.
        level: Coverage of each interval.
        seed: Seed of the resamples.

    Raises:
        PlanError: If sizes do not fit, there are fewer than two labels, a vector is not of length 1, the
            scale is not above 0, or a true label is none of the labels.

    References:
        Deng et al. 2022 (arXiv 2207.07065) for effective invariance; Lin 1991, Divergence measures based on
        the Shannon entropy.
    """
    check_units(labels, what="label", least=2)
    draws = flatten_draws(clean, views, labels)
    known = _check_truth(truth, images=len(clean), labels=len(labels))
    if not 0 < scale < np.inf:
        raise PlanError(f"scale is {scale}; expected a number above 0, as the encoder states it")
    found = _compare_all(clean, draws, labels, scale=scale, bias=bias)
    found["right_before"] = _find_right(found["label"], known)
    found["right_after"] = _find_right(found["view_label"], known[:, None])
    columns: dict[str, np.ndarray] = {
        "flip_rate": found["flipped"],
        "margin_drop": found["margin_drop"],
        "invariance": found["invariance"],
        "divergence": found["divergence"],
        "accuracy_before": found["right_before"][:, None],
        "accuracy_after": found["right_after"],
    }
    estimates = summarise(
        columns,
        bounds=_BOUNDS,
        proportions=_PROPORTIONS,
        crowded=_CROWDED,
        resamples=resamples,
        level=level,
        seed=seed,
    )
    return LabelShifts(**found, estimates=estimates, level=level)


def find_flips(
    clean: Float64[np.ndarray, "_images _dim"],
    views: Float64[np.ndarray, "..."],
    labels: Float64[np.ndarray, "_labels _dim"],
) -> Float64[np.ndarray, "images draws"]:
    """Return 1 where a view's label differs from its original's, else 0; see `compare_labels`.

    Args:
        clean: Embeddings of the originals, of length 1; NaN where missing.
        views: Embeddings of their views, of length 1, (images, draws, dim).
        labels: Text vectors of the labels, of length 1.

    Returns:
        NaN where a view or its original is missing.

    Raises:
        PlanError: If sizes do not fit, there are fewer than two labels, or a vector is not of length 1.
    """
    check_units(labels, what="label", least=2)
    draws = flatten_draws(clean, views, labels)
    # Which cosine is greatest does not depend on the scale.
    return _compare_all(clean, draws, labels, scale=1.0, bias=None)["flipped"]


def _check_truth(
    truth: Int64[np.ndarray, " _images"] | None, *, images: int, labels: int
) -> Int64[np.ndarray, " images"]:
    if truth is None:
        return np.full(images, -1)
    if truth.shape != (images,) or (truth < -1).any() or (truth >= labels).any():
        raise PlanError(
            f"true labels have the shape {truth.shape} and go from {truth.min(initial=0)} to "
            f"{truth.max(initial=0)}; expected one for each of {images} images, from −1 to {labels - 1}"
        )
    return truth


def _compare_all(
    clean: Float64[np.ndarray, "images dim"],
    draws: Float64[np.ndarray, "images draws dim"],
    labels: Float64[np.ndarray, "labels dim"],
    *,
    scale: float,
    bias: float | None,
) -> dict[str, np.ndarray]:
    """Compare labels block by block of images."""
    step = max(1, BLOCK // (max(draws.shape[1], 1) * len(labels)))
    parts = [
        _compare(clean[at : at + step], draws[at : at + step], labels, scale=scale, bias=bias)
        for at in range(0, max(len(clean), 1), step)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _compare(
    clean: Float64[np.ndarray, "images dim"],
    draws: Float64[np.ndarray, "images draws dim"],
    labels: Float64[np.ndarray, "labels dim"],
    *,
    scale: float,
    bias: float | None,
) -> dict[str, np.ndarray]:
    """Compare labels of some images."""
    before, after = clean @ labels.T, draws @ labels.T  # images labels; images draws labels
    there = np.asarray(np.isfinite(before).all(axis=1))
    both = there[:, None] & np.isfinite(after).all(axis=2)
    before, after = np.nan_to_num(before), np.nan_to_num(after)
    label, view_label = before.argmax(axis=1), after.argmax(axis=2)
    p, q = scipy.special.softmax(scale * before, axis=1), scipy.special.softmax(scale * after, axis=2)
    kept = np.sqrt(_take(p, label)[:, None] * _take(q, label))
    margin = _find_margin(before, label)
    same = view_label == label[:, None]
    values = {
        "flipped": np.where(same, 0.0, 1.0),
        "margin_drop": margin[:, None] - _find_margin(after, label),
        "invariance": np.where(same, kept, 0.0),
        "divergence": _find_divergence(p[:, None], q),
    }
    shift = np.nan if bias is None else bias
    return {name: np.where(both, one, np.nan) for name, one in values.items()} | {
        "label": np.where(there, label, -1),
        "view_label": np.where(both, view_label, -1),
        "margin": np.where(there, margin, np.nan),
        "sigmoid": np.where(there, scipy.special.expit(scale * _take(before, label) + shift), np.nan),
        "view_sigmoid": np.where(both, scipy.special.expit(scale * _take(after, label) + shift), np.nan),
    }


def _take(
    values: Float64[np.ndarray, "..."], label: Int64[np.ndarray, " images"]
) -> Float64[np.ndarray, "..."]:
    """Return the value of each image's label, which is along the last axis."""
    places = label.reshape(-1, *[1] * (values.ndim - 1))
    return np.take_along_axis(values, places, axis=-1)[..., 0]


def _find_margin(
    cosines: Float64[np.ndarray, "..."], label: Int64[np.ndarray, " images"]
) -> Float64[np.ndarray, "..."]:
    """Return the cosine with each image's label minus the greatest with any other label."""
    own = np.arange(cosines.shape[-1]) == label[:, None]  # images labels
    others = np.where(own if cosines.ndim == 2 else own[:, None], -np.inf, cosines)
    return _take(cosines, label) - others.max(axis=-1)


def _find_divergence(
    p: Float64[np.ndarray, "images 1 labels"], q: Float64[np.ndarray, "images draws labels"]
) -> Float64[np.ndarray, "images draws"]:
    middle = (p + q) / 2
    nats = scipy.special.rel_entr(p, middle).sum(axis=2) + scipy.special.rel_entr(q, middle).sum(axis=2)
    return np.clip(nats / (2 * np.log(2)), 0.0, 1.0)


def _find_right(
    label: Int64[np.ndarray, "..."], known: Int64[np.ndarray, "..."]
) -> Float64[np.ndarray, "..."]:
    return np.where((label < 0) | (known < 0), np.nan, (label == known) * 1.0)
