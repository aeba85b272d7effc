"""Clusters of transforms that move embeddings alike: equations (1) to (3) of the paper."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import scipy
from jaxtyping import Float32, Float64, Int64

from embshift.core.errors import PlanError, UnknownNameError
from embshift.core.records import Record, to_pandas, write_html

__all__ = ["DISTANCES", "LINKAGES", "Clusters", "cluster_transforms", "mean_distances"]

DISTANCES = (
    "braycurtis",
    "canberra",
    "chebyshev",
    "cityblock",
    "correlation",
    "cosine",
    "euclidean",
    "minkowski",
    "sqeuclidean",
)
"""Names for ``scipy.spatial.distance.pdist`` that are defined for any two real vectors."""

LINKAGES = ("average", "centroid", "complete", "median", "single", "ward", "weighted")
"""Methods of ``scipy.cluster.hierarchy.linkage``."""

_FITTED = "needs a covariance or variance fitted to many vectors, but each image gives one per transform"
_BOOLEAN = "compares truth values, but embeddings are real numbers"
_PROBABILITIES = "compares probabilities, but embeddings may be negative"
_EQUALITY = "counts unequal entries, but two real embeddings differ in all of them"
_REFUSED = {
    "mahalanobis": _FITTED,
    "seuclidean": _FITTED,
    "jensenshannon": _PROBABILITIES,
    "hamming": _EQUALITY,
    "matching": _EQUALITY,
    **dict.fromkeys(
        (
            "dice",
            "jaccard",
            "kulczynski1",
            "rogerstanimoto",
            "russellrao",
            "sokalmichener",
            "sokalsneath",
            "yule",
        ),
        _BOOLEAN,
    ),
}
_EUCLIDEAN_ONLY = frozenset({"ward", "centroid", "median"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clusters:
    """A hierarchical clustering of transforms.

    Attributes:
        transforms: Names along every axis.
        distance: Name of the distance.
        linkage: Method of the linkage.
        threshold: Cophenetic distance at which the tree is cut.
        condensed: Mean distances over images, as `pdist` orders them: equation (2).
        square: The same as a symmetric matrix: equation (3).
        tree: The linkage matrix Z.
        labels: Cluster of each transform, from 1: equation (1).
        order: Leaves of the dendrogram from left to right, as positions in `transforms`.
        n: Number of images behind each condensed distance.
        note: A caveat about the choice of linkage and distance; empty if there is none.
    """

    transforms: tuple[str, ...]
    distance: str
    linkage: str
    threshold: float
    condensed: Float64[np.ndarray, " pairs"]
    square: Float64[np.ndarray, "transforms transforms"]
    tree: Float64[np.ndarray, "merges 4"]
    labels: Int64[np.ndarray, " transforms"]
    order: tuple[int, ...]
    n: Int64[np.ndarray, " pairs"]
    note: str

    def members(self) -> dict[int, tuple[str, ...]]:
        """Return the transforms in each cluster."""
        labels = self.labels.tolist()
        return {
            label: tuple(name for name, own in zip(self.transforms, labels, strict=True) if own == label)
            for label in sorted(set(labels))
        }

    def records(self) -> list[Record]:
        """Return one row for each transform in the order of the dendrogram, with its distances."""
        return [
            {"transform": self.transforms[at], "cluster": int(self.labels[at])}
            | {self.transforms[other]: float(self.square[at, other]) for other in self.order}
            for at in self.order
        ]

    to_pandas = to_pandas
    _repr_html_ = write_html


def check_distance(name: str) -> None:
    """Raise an error with the reason if a distance is not defined between two embeddings."""
    if name in _REFUSED:
        raise PlanError(f"distance '{name}' {_REFUSED[name]}; expected one of {', '.join(DISTANCES)}")
    if name not in DISTANCES:
        raise UnknownNameError("distance", name, DISTANCES)


def mean_distances(
    images: Iterable[Mapping[str, Float32[np.ndarray, "draws dim"]]],
    *,
    transforms: Sequence[str],
    distance: str,
) -> tuple[Float64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]:
    """Compute the distance between the views of every two transforms, image by image, averaged over images.

    Draws are averaged within an image first. The original is not among the views. If a view failed on an
    image,
    the image is left out of the pairs of that view.

    Args:
        images: For each image, the embeddings of its views by transform; a failed draw is a row of NaN.
        transforms: Names, in order.
        distance: A name in `DISTANCES`.

    Returns:
        Mean distances in the order of `pdist`, NaN if no image has both views; and the number of images
        behind each.
    """
    pairs = len(transforms) * (len(transforms) - 1) // 2
    total, count = np.zeros(pairs), np.zeros(pairs, np.int64)
    for views in images:
        found = _image_distances(views, transforms, distance)
        defined = ~np.isnan(found)
        total[defined] += found[defined]
        count += defined
    return np.divide(total, count, out=np.full(pairs, np.nan), where=count > 0), count


def _image_distances(
    views: Mapping[str, Float32[np.ndarray, "draws dim"]], transforms: Sequence[str], distance: str
) -> Float64[np.ndarray, " pairs"]:
    stacked = np.stack([views[name] for name in transforms]).astype(float)  # transforms draws dim
    name: Any = distance  # SciPy's annotations list its names as literals
    by_draw = np.stack(
        [scipy.spatial.distance.pdist(stacked[:, draw], metric=name) for draw in range(stacked.shape[1])]
    )
    # Checked separately, since not every distance of a row of NaN is NaN: the maximum over nothing is 0.
    seen = np.asarray(np.isfinite(stacked).all(axis=2)).T  # draws transforms
    first, second = np.triu_indices(len(transforms), 1)
    defined = ~np.isnan(by_draw) & seen[:, first] & seen[:, second]
    counts = defined.sum(axis=0)
    total = np.where(defined, by_draw, 0.0).sum(axis=0)
    return np.divide(total, counts, out=np.full(by_draw.shape[1], np.nan), where=counts > 0)


def cluster_transforms(
    condensed: Float64[np.ndarray, " pairs"],
    *,
    n: Int64[np.ndarray, " pairs"],
    transforms: Sequence[str],
    distance: str,
    method: str = "average",
    threshold: float | None = None,
) -> Clusters:
    """Cluster transforms: link mean distances into a tree and cut it at a threshold.

    Args:
        condensed: Mean distances in the order of `pdist`.
        n: Number of images behind each.
        transforms: Names, in order; at least two.
        distance: Name of the distance.
        method: A name in `LINKAGES`; the default, average, assumes no geometry.
        threshold: Distance of the cut; where None, 0.7 of the greatest height of the tree.

    Raises:
        PlanError: If there are fewer than two transforms, or no image has views of two of them.
    """
    if method not in LINKAGES:
        raise UnknownNameError("linkage", method, LINKAGES)
    if threshold is not None and not 0 <= threshold < float("inf"):
        raise PlanError(f"threshold is {threshold}; expected a distance of 0 or more")
    if len(transforms) < 2:
        raise PlanError(f"clusters need at least two transforms; the run has {len(transforms)}")
    _check_pairs(condensed, transforms)
    tree = scipy.cluster.hierarchy.linkage(condensed, method=method)
    cut = 0.7 * float(tree[:, 2].max()) if threshold is None else threshold
    if not scipy.cluster.hierarchy.is_valid_linkage(tree):
        raise PlanError(f"linkage '{method}' gives no valid tree for these distances; use average")
    return Clusters(
        transforms=tuple(transforms),
        distance=distance,
        linkage=method,
        threshold=cut,
        condensed=condensed,
        square=scipy.spatial.distance.squareform(condensed),
        tree=tree,
        labels=scipy.cluster.hierarchy.fcluster(tree, cut, criterion="distance").astype(np.int64),
        order=tuple(scipy.cluster.hierarchy.leaves_list(tree).tolist()),
        n=n,
        note=_note(method, distance),
    )


def _check_pairs(condensed: Float64[np.ndarray, " pairs"], transforms: Sequence[str]) -> None:
    missing = [
        f"{a}-{b}"
        for (a, b), value in zip(combinations(transforms, 2), condensed, strict=True)
        if np.isnan(value)
    ]
    if missing:
        raise PlanError(f"no image has views of both transforms: {', '.join(missing)}; cluster the others")


def _note(method: str, distance: str) -> str:
    if method not in _EUCLIDEAN_ONLY:
        return ""
    return (
        f"linkage '{method}' assumes Euclidean distances between points, but {distance} distances averaged"
        " over images are not Euclidean, so the tree's heights mean little; average makes no such assumption"
    )
