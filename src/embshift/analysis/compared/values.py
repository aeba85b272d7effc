"""Values of each image by the statistics that runs are compared by, and how each image moves their means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from embshift.analysis.compared.catalogue import COMPARED
from embshift.analysis.embeddings.calibration import Scale, distance_scale, divide_by_scale
from embshift.analysis.embeddings.neighbours import half_squared_distances
from embshift.analysis.embeddings.own_ranks import RankedGallery, open_gallery, rank_own
from embshift.analysis.embeddings.pairs import DrawViews, Pairs, average_draws

__all__ = ["ComparedValues", "measure_values", "pull_denominators"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedValues:
    """Values of the images of one run, all of one gallery.

    Attributes:
        ids: Id of each image, sorted.
        transforms: Names along the second axis.
        statistics: Names along the third axis.
        values: Mean over draws; NaN where undefined.
        scale_pulls: Influence of each image on each mean through the distances that shifts are divided by; 0
            for statistics without.
    """

    ids: tuple[str, ...]
    transforms: tuple[str, ...]
    statistics: tuple[str, ...]
    values: Float64[np.ndarray, "images transforms statistics"]
    scale_pulls: Float64[np.ndarray, "images transforms statistics"]

    def select(
        self, *, transforms: Sequence[str] | None = None, statistics: Sequence[str] | None = None
    ) -> "ComparedValues":
        """Return the values of some transforms and statistics, in this order.

        Args:
            transforms: Names; all where None.
            statistics: Names; all where None.
        """
        kept = (
            tuple(self.transforms if transforms is None else transforms),
            tuple(self.statistics if statistics is None else statistics),
        )
        rows, columns = (
            [known.index(name) for name in names]
            for known, names in zip((self.transforms, self.statistics), kept, strict=True)
        )
        return ComparedValues(
            ids=self.ids,
            transforms=kept[0],
            statistics=kept[1],
            values=self.values[:, rows][:, :, columns],
            scale_pulls=self.scale_pulls[:, rows][:, :, columns],
        )


def measure_values(pairs: Pairs, *, transforms: Sequence[str], scale: Scale | None = None) -> ComparedValues:
    """Compute the values of every image; the gallery is all images of `pairs`.

    Args:
        pairs: Originals and views of the images that all compared runs have.
        transforms: Names of the transforms, in order.
        scale: Distances between the originals, if they are known.
    """
    scale, gallery = scale or distance_scale(pairs.units), open_gallery(pairs.units)
    order = pairs.order_by_id()
    shape = (len(pairs), len(transforms), len(COMPARED))
    values, pulls = np.full(shape, np.nan), np.zeros(shape)
    for at, transform in enumerate(transforms):
        draws, _ = pairs.views(transform)
        found = average_draws(
            [(draw.at, _draw(pairs, draw, scale=scale, gallery=gallery)) for draw in draws],
            images=len(pairs),
            names=list(COMPARED),
        )
        values[:, at] = np.stack([found[name] for name in COMPARED], axis=1)
        ratio = list(COMPARED).index("relative_shift")
        pulls[:, at, ratio] = pull_denominators(found["relative_shift"], pairs.units, others=scale.others)
    return ComparedValues(
        ids=tuple(pairs.ids[at] for at in order.tolist()),
        transforms=tuple(transforms),
        statistics=tuple(COMPARED),
        values=values[order],
        scale_pulls=pulls[order],
    )


def _draw(
    pairs: Pairs, draw: DrawViews, *, scale: Scale, gallery: RankedGallery
) -> Mapping[str, Float64[np.ndarray, " views"]]:
    shift = half_squared_distances(pairs.units[draw.at], draw.units)
    rank = rank_own(draw.units, gallery, own=draw.at)
    others = len(pairs) - 1
    none = np.full(len(rank), np.nan)
    return {
        "relative_shift": divide_by_scale(shift, scale.others[draw.at]),
        "neighbour_ratio": divide_by_scale(shift, scale.nearest[draw.at]),
        "nearer_share": (rank - 1) / others if others else none,
        "recall_at_1": (rank == 1).astype(np.float64) if others else none,
        "cosine_shift": shift,
    }


def pull_denominators(
    ratios: Float64[np.ndarray, " images"],
    units: Float64[np.ndarray, "images dim"],
    /,
    *,
    others: Float64[np.ndarray, " images"],
) -> Float64[np.ndarray, " images"]:
    r"""Compute how each image moves the mean of relative shifts through the distances to others.

    With $r_i = s_i / o_i$, $o_i$ the mean distance of image i to the others, and $a_i = r_i / o_i$, image j
    pulls by $-\frac{N}{(N - 1) n} \sum_{i \neq j} a_i (d_{ij} - o_i)$ (infinitesimal jackknife), n the number
    of defined ratios. The sums over pairs follow from $d_{ij} = \tfrac12 \|c_i - c_j\|^2$ of centred vectors,
    without computing any pair.

    Args:
        ratios: Relative shift of each image; NaN where undefined.
        units: Unit embeddings of the originals.
        others: Mean distance from each image to the others.

    Returns:
        One number for each image, in the unit of the ratios; their mean is 0 up to rounding.

    References:
        Efron & Tibshirani 1993, An introduction to the bootstrap, sections 20.3 and 21.3.
    """
    images, defined = len(units), ~np.isnan(ratios)
    if images < 2 or not defined.any():
        return np.zeros(images)
    weights = np.divide(ratios, others, out=np.zeros(images), where=defined)
    centred = units - units.mean(axis=0)
    squares = np.einsum("ij,ij->i", centred, centred)
    distances = 0.5 * (weights @ squares + weights.sum() * squares) - centred @ (weights @ centred)
    own = np.where(defined, ratios, 0.0)
    return -images / ((images - 1) * defined.sum()) * (distances - (own.sum() - own))
