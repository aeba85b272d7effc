"""The declared properties of every measurement on embeddings; tables, figures and documentation use them."""

from embshift.analysis.shifts.variance import VARIANCE
from embshift.core.types import Direction, Measure

__all__ = [
    "CALIBRATION",
    "CROWDED",
    "DIRECTION",
    "DIRECTION_OF_ALL",
    "FLOOR_RATIO",
    "MEASURES",
    "PROPORTIONS",
    "RECALLS",
    "RETRIEVAL",
    "STRUCTURE",
]

_NAN = float("nan")

CALIBRATION = (
    Measure(
        name="cosine_shift",
        summary="1 − cosine between original and view, as ½‖z − z′‖² in float64",
        unit="1",
        bounds=(0.0, 2.0),
        identity=0.0,
        direction=Direction.LOWER,
        blind_to="the embedding's length; how far apart the images are to begin with",
        reference="arXiv 2503.23495, eq. (4), as a distance",
    ),
    Measure(
        name="unit_l2",
        summary="L2 distance between embeddings of length 1",
        unit="1",
        bounds=(0.0, 2.0),
        identity=0.0,
        direction=Direction.LOWER,
        blind_to="the embedding's length; it is √(2 · cosine shift)",
        reference="arXiv 2503.23495, eq. (5), on unit embeddings",
    ),
    Measure(
        name="norm_ratio",
        summary="norm of the view's raw embedding over that of the original's",
        unit="1",
        bounds=(0.0, float("inf")),
        identity=1.0,
        direction=None,
        blind_to="every change of direction",
        reference="definition",
    ),
    Measure(
        name="relative_shift",
        summary="cosine shift over the mean cosine distance from the original to the other images",
        unit="1",
        bounds=(0.0, float("inf")),
        identity=0.0,
        direction=Direction.LOWER,
        blind_to="where among the others the view moved; it knows only the images of this run",
        reference="definition",
    ),
    Measure(
        name="neighbour_ratio",
        summary="cosine shift over the cosine distance from the original to its nearest neighbour",
        unit="1",
        bounds=(0.0, float("inf")),
        identity=0.0,
        direction=Direction.LOWER,
        blind_to="whether the view moved towards that neighbour; it shrinks as images are added",
        reference="definition",
    ),
    Measure(
        name="neighbour_percentile",
        summary="share of the images whose nearest neighbour is closer than this shift",
        unit="%",
        bounds=(0.0, 100.0),
        identity=0.0,
        direction=Direction.LOWER,
        blind_to="how much closer; the image's own neighbourhood",
        reference="definition",
    ),
)
"""Measures of calibration without a floor."""

FLOOR_RATIO = Measure(
    name="floor_ratio",
    summary="cosine shift over the mean of the shifts that preparation alone causes",
    unit="1",
    bounds=(0.0, float("inf")),
    identity=0.0,
    direction=Direction.LOWER,
    blind_to="preparations that were not tried",
    reference="definition",
)
"""Additional measure of calibration where a preparation floor is given."""

RECALLS = (1, 5, 10)
"""Numbers k of recall@k."""


def _recall(k: int) -> Measure:
    return Measure(
        name=f"recall_at_{k}",
        summary=f"share of views whose original is among the {k} nearest images; ties count against it",
        unit="1",
        bounds=(0.0, 1.0),
        identity=1.0,
        direction=Direction.HIGHER,
        blind_to="by how much the original is missed; it falls as the gallery grows",
        reference=f"recall@{k}, ties pessimistic as in Douze et al. 2021 (arXiv 2106.09672)",
    )


RETRIEVAL = (
    *(_recall(k) for k in RECALLS),
    Measure(
        name="mrr",
        summary="mean of 1 / rank of the original",
        unit="1",
        bounds=(0.0, 1.0),
        identity=1.0,
        direction=Direction.HIGHER,
        blind_to="differences between far ranks; it falls as the gallery grows",
        reference="mean reciprocal rank; Voorhees 1999, TREC-8",
    ),
    Measure(
        name="margin",
        summary="cosine of view and original minus cosine of view and nearest other image",
        unit="1",
        bounds=(-2.0, 2.0),
        identity=float("nan"),
        direction=Direction.HIGHER,
        blind_to="how many other images lie nearer; at identity it is the distance to the nearest neighbour",
        reference="definition",
    ),
    Measure(
        name="knn_jaccard",
        summary="neighbours shared by original and view, as a share of all neighbours of either",
        unit="1",
        bounds=(0.0, 1.0),
        identity=1.0,
        direction=Direction.HIGHER,
        blind_to="the order and the distance of the neighbours",
        reference="k-NN Jaccard similarity; Klabunde et al. 2023 (arXiv 2305.06329)",
    ),
)
"""Measures of retrieval."""

PROPORTIONS = frozenset(f"recall_at_{k}" for k in RECALLS)
"""Measures whose value is 0 or 1 for a view: they have Wilson intervals."""

CROWDED = frozenset({"mrr", "knn_jaccard", "neighbour_percentile"})
"""Bounded measures whose values crowd at a bound, where a bootstrap covers too seldom."""

DIRECTION_OF_ALL = (
    Measure(
        name="mean_shift",
        summary="length of the mean shift vector μ, the mean of z′ − z",
        unit="1",
        bounds=(0.0, 2.0),
        identity=0.0,
        direction=Direction.LOWER,
        blind_to="shifts that cancel over images",
        reference="definition",
    ),
    Measure(
        name="explained_variance",
        summary="share of the squared shifts that one common vector explains, corrected for chance",
        unit="1",
        bounds=(-1.0, 1.0),
        identity=_NAN,
        direction=None,
        blind_to="common parts that rotate with the image; unbiased, so it may be below 0",
        reference="(N‖μ‖² − m) / ((N − 1) m), m the mean of ‖z′ − z‖²",
    ),
    Measure(
        name="consistency",
        summary="mean cosine of an image's shift and the mean shift of the others",
        unit="1",
        bounds=(-1.0, 1.0),
        identity=_NAN,
        direction=None,
        blind_to="the length of shifts",
        reference="definition, leave-one-out",
    ),
    Measure(
        name="effective_rank",
        summary="number of directions of the shifts, exp of their entropy",
        unit="1",
        bounds=(1.0, float("inf")),
        identity=_NAN,
        direction=None,
        blind_to="which directions; it grows with the number of images up to the dimension",
        reference="Roy & Vetterli 2007; RankMe, arXiv 2210.02885; not centred",
    ),
)

_WAYS = {
    "mean": "subtracting the mean shift",
    "orthogonal": "applying one orthogonal map",
    "linear": "subtracting a linear prediction of the shift (ridge)",
}

_CORRECTED = tuple(
    Measure(
        name=f"corrected_{name}",
        summary=f"share of the cosine shift removed on held-out images by {way}",
        unit="1",
        bounds=(float("-inf"), 1.0),
        identity=_NAN,
        direction=None,
        blind_to="corrections of another form; below 0 it increases the shift",
        reference="1 − Σd after / Σd before, 5 folds",
    )
    for name, way in _WAYS.items()
)

DIRECTION = (*DIRECTION_OF_ALL, *_CORRECTED)
"""Measures of direction."""

_CHANCE = "mean over random permutations of the views"

STRUCTURE = (
    Measure(
        name="linear_cka",
        summary="linear centred kernel alignment of originals and views",
        unit="1",
        bounds=(0.0, 1.0),
        identity=1.0,
        direction=Direction.HIGHER,
        blind_to="rotations and scaling of the whole space; biased upwards on few images",
        reference="Kornblith et al. 2019 (arXiv 1905.00414), section 3",
    ),
    Measure(
        name="unbiased_cka",
        summary="linear centred kernel alignment with an estimator that is unbiased on few images",
        unit="1",
        bounds=(float("-inf"), float("inf")),
        identity=1.0,
        direction=Direction.HIGHER,
        blind_to="rotations and scaling of the whole space; needs four images, and may leave 0 to 1 on few",
        reference="Song et al. 2012, JMLR 13, eq. (5)",
    ),
    Measure(
        name="procrustes",
        summary="distance left after the best rotation of centred, scaled embeddings",
        unit="1",
        bounds=(0.0, 2**0.5),
        identity=0.0,
        direction=Direction.LOWER,
        blind_to="rotations, translations and scaling of the whole space; few images align by chance",
        reference="Schönemann 1966; √(2 − 2‖Z̃ᵀZ̃′‖*)",
    ),
    Measure(
        name="procrustes_chance",
        summary=f"Procrustes distance, {_CHANCE}",
        unit="1",
        bounds=(0.0, 2**0.5),
        identity=_NAN,
        direction=None,
        blind_to="the transform: it is what remains if only chance aligns",
        reference="permutation of rows",
    ),
    Measure(
        name="rsa",
        summary="Spearman correlation of the distances between originals and those between views",
        unit="1",
        bounds=(-1.0, 1.0),
        identity=1.0,
        direction=Direction.HIGHER,
        blind_to="whatever keeps the order of distances",
        reference="Kriegeskorte et al. 2008, doi 10.3389/neuro.06.004.2008",
    ),
    Measure(
        name="rsa_chance",
        summary=f"RSA correlation, {_CHANCE}",
        unit="1",
        bounds=(-1.0, 1.0),
        identity=_NAN,
        direction=None,
        blind_to="the transform: it is what remains if only chance aligns",
        reference="permutation of rows and columns",
    ),
)
"""Measures of structure."""

MEASURES = {
    "calibration": (*CALIBRATION, FLOOR_RATIO),
    "retrieval": RETRIEVAL,
    "direction": DIRECTION,
    "structure": STRUCTURE,
    "variance": VARIANCE,
}
"""All measures, by the name of the measurement."""
