"""Pairs of runs by what was measured: image, specification of the transform, and draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from embshift.analysis.pairing.panels import ORIGINALS, PREPARED, Panel
from embshift.analysis.pairing.specifications import check_specifications
from embshift.core.errors import RunError
from embshift.core.types import ORIGINAL
from embshift.core.words import count_noun

__all__ = [
    "LEAST_SHARED",
    "Grade",
    "PairedOriginals",
    "PairedTransform",
    "Pairing",
    "pair_originals",
    "pair_panels",
]

LEAST_SHARED = 0.95
"""Least share of the images of both runs that both must have."""

Grade: TypeAlias = Literal["exact", "prepared"]
"""exact: equal pixels. prepared: the same images and specification, but other pixels. Transforms of one name
with different specifications are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTransform:
    """A transform of both runs, or their originals.

    Attributes:
        name: Its name; "original" for the originals.
        views: Number of views of shared images and draws that have an embedding in both runs.
        differing: Number of these whose pixels differ.
        lost: Number of views of shared images that have an embedding in one run alone.
    """

    name: str
    views: int
    differing: int
    lost: int

    @property
    def grade(self) -> Grade:
        """Whether all pixels are equal."""
        return "prepared" if self.differing else "exact"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairing:
    """What two runs have in common.

    Attributes:
        first: Name of the first run.
        second: Name of the second.
        images: Ids of the images of both, sorted.
        only_first: Number of images that only the first has.
        only_second: Number of images that only the second has.
        failed: Number of images without a result, of the first and of the second.
        originals: The originals.
        transforms: The transforms of both, in the order of the first.
        alone: Names of transforms that only the first has, and that only the second has.
        draws: Draws of a transform that both have.
        other_draws: Number of draws that only one of them has.
        prepared: Fields of the plan that determine pixels and differ, with both values.
    """

    first: str
    second: str
    images: tuple[str, ...]
    only_first: int
    only_second: int
    failed: tuple[int, int]
    originals: PairedTransform
    transforms: tuple[PairedTransform, ...]
    alone: tuple[tuple[str, ...], tuple[str, ...]]
    draws: tuple[int, ...]
    other_draws: int
    prepared: tuple[str, ...]

    @property
    def shared(self) -> float:
        """Share of all images that both runs have."""
        return len(self.images) / max(len(self.images) + self.only_first + self.only_second, 1)

    def grade(self, transform: str) -> Grade:
        """Return how alike the pixels of a transform's views and of the originals are."""
        own = next(one for one in self.transforms if one.name == transform)
        return "prepared" if self.originals.differing else own.grade

    def notes(self) -> tuple[str, ...]:
        """Return what is not compared, and what is compared as well."""
        counts = f"{count_noun(len(self.images), 'image')} in both"
        for count, side in ((self.only_first, self.first), (self.only_second, self.second)):
            counts += f", {count:,} only in {side}" if count else ""
        for count, side in zip(self.failed, (self.first, self.second), strict=True):
            counts += f", {count:,} failed in {side}" if count else ""
        notes = [counts]
        for names, side in zip(self.alone, (self.first, self.second), strict=True):
            notes += [f"not compared, since only in {side}: {', '.join(names)}"] if names else []
        if self.other_draws:
            notes.append(f"{count_noun(self.other_draws, 'draw')} of one run alone left out")
        if lost := sum(one.lost for one in (self.originals, *self.transforms)):
            notes.append(f"{count_noun(lost, 'view')} with an embedding in one run alone left out")
        return (*notes, *self._describe_pixels())

    def _describe_pixels(self) -> tuple[str, ...]:
        pairs = (self.originals, *self.transforms)
        differing, views = sum(one.differing for one in pairs), sum(one.views for one in pairs)
        if not differing:
            return ()
        why = ", ".join(self.prepared) or "other versions of libraries"
        return (
            f"{differing:,} of {views:,} shared originals and views have other pixels in {self.second}"
            f" ({why}): their preparation is compared as well",
        )


def pair_panels(first: Panel, second: Panel, /, *, least_shared: float = LEAST_SHARED) -> Pairing:
    """Pair two runs by image, transform and draw.

    Args:
        first: One run, or a baseline.
        second: The other.
        least_shared: Least share of the images of both that both must have.

    Raises:
        RunError: If transforms of one name do different things, no transform or too few images are shared.
    """
    shared = [name for name in first.specifications if name in second.specifications]
    alone = (_missing(first, second), _missing(second, first))
    if not shared:
        raise RunError(f"{second.path} shares no transform with {first.path}; measure the same preset")
    check_specifications(
        first.specifications, second.specifications, names=shared, sides=(first.path, second.path)
    )
    images = _share_images(first, second, least=least_shared)
    draws, other_draws = _share_draws(first, second)
    pairs = _pair_views(first, second, images=images, draws=draws)
    return Pairing(
        first=first.label if first.label != second.label else first.path,
        second=second.label if first.label != second.label else second.path,
        images=images,
        only_first=len(first.images()) - len(images),
        only_second=len(second.images()) - len(images),
        failed=(first.failed, second.failed),
        originals=pairs[ORIGINAL],
        transforms=tuple(pairs[name] for name in shared),
        alone=alone,
        draws=draws,
        other_draws=other_draws,
        prepared=_list_prepared(first, second),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedOriginals:
    """The originals of two runs.

    Attributes:
        images: Ids of the images of both, sorted.
        originals: How many of their pixels differ.
        prepared: Fields of the plan that determine them and differ; none where their pixels are equal.
    """

    images: tuple[str, ...]
    originals: PairedTransform
    prepared: tuple[str, ...]


def pair_originals(first: Panel, second: Panel, /) -> PairedOriginals:
    """Pair the originals of two runs, whatever their transforms and however few images both have.

    Raises:
        RunError: If no image is shared.
    """
    images = _share_images(first, second, least=0.0)
    originals = _pair_views(first, second, images=images, draws=(0,))[ORIGINAL]
    fields = _list_prepared(first, second, names=ORIGINALS) if originals.differing else ()
    return PairedOriginals(images=images, originals=originals, prepared=fields)


def _list_prepared(first: Panel, second: Panel, *, names: Sequence[str] = PREPARED) -> tuple[str, ...]:
    one, two = first.prepared, second.prepared
    return tuple(f"{name} {two[name]}" for name in names if name in two and one.get(name) != two[name])


def _missing(one: Panel, other: Panel) -> tuple[str, ...]:
    return tuple(name for name in one.specifications if name not in other.specifications)


def _share_images(first: Panel, second: Panel, *, least: float) -> tuple[str, ...]:
    ours, theirs = first.images(), second.images()
    both = ours & theirs
    if not both:
        raise RunError(f"{second.path} shares no image with {first.path}; measure the same images")
    if len(both) < least * len(ours | theirs):
        raise RunError(
            f"only {len(both):,} of {len(ours | theirs):,} images are in both runs"
            f" ({len(ours - theirs):,} only in {first.path}, {len(theirs - ours):,} only in {second.path});"
            f" expected {100 * least:g} % or more: measure the same images"
        )
    return tuple(sorted(both))


def _share_draws(first: Panel, second: Panel) -> tuple[tuple[int, ...], int]:
    ours, theirs = (set(side.views["draw"].unique().to_pylist()) for side in (first, second))
    return tuple(sorted(ours & theirs)), len(ours ^ theirs)


def _pair_views(
    first: Panel, second: Panel, *, images: Sequence[str], draws: Sequence[int]
) -> dict[str, PairedTransform]:
    """Return the pairs of views by transform, and by "original"."""
    names = [ORIGINAL, *(name for name in first.specifications if name in second.specifications)]
    ours, theirs = (_select(side.views, images=images, draws=draws) for side in (first, second))
    keys = ["image", "transform", "draw"]
    both = ours.join(theirs, keys, join_type="full outer", right_suffix="_second")
    one, two = (both[name].to_numpy() for name in ("digest", "digest_second"))
    known, other = both["digest"].is_valid().to_numpy(), both["digest_second"].is_valid().to_numpy()
    counted = pa.table(
        {
            "transform": both["transform"],
            "views": known & other,
            "differing": known & other & (one != two),
            "lost": known ^ other,
        }
    )
    sums = counted.group_by("transform").aggregate([(part, "sum") for part in _COUNTS])
    found = {row["transform"]: row for row in sums.to_pylist()}
    none = {f"{part}_sum": 0 for part in _COUNTS}
    return {
        name: PairedTransform(name=name, **{part: found.get(name, none)[f"{part}_sum"] for part in _COUNTS})
        for name in names
    }


_COUNTS = ("views", "differing", "lost")


def _select(views: pa.Table, *, images: Sequence[str], draws: Sequence[int]) -> pa.Table:
    return views.filter(pc.field("image").isin(list(images)) & pc.field("draw").isin(list(draws)))
