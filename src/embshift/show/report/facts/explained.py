"""What a report needs from an explanation of its run: shares, patches, layers, places, and what texts say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from embshift.analysis.explanation import DIRECTION, Explanation
from embshift.analysis.inside.by_image import ImageMeans
from embshift.analysis.inside.patches import Calibration, PatchEffects
from embshift.analysis.inside.shares import PooledShares
from embshift.analysis.of_explained_views import (
    average_falls,
    average_shifts,
    count_changed_views,
    pool_places,
)
from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.core.errors import RunError
from embshift.core.progress import OnStep, ignore_step
from embshift.show.report.facts.texts import TextFacts, gather_texts

__all__ = ["ExplainedFacts", "gather_explained"]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExplainedFacts:
    """The numbers of an explanation, each by transform where nothing else is said.

    Attributes:
        record: The content of ``explain.json``.
        transforms: Explained transforms, in the order of the plan.
        changed: Number of views of these images that could not be made again as they were measured.
        shifts: Mean 1 − cosine of the explained views.
        shares: Pooled shares of the components.
        patches: What patches of all components recover.
        calibration: Cheap patches against full ones, over all transforms; None where none was made in full.
        cosine: Mean cosine of the token that is read, by layer.
        falls: By how much each layer lowers it; intervals hold for all layers together.
        places: What shift maps do not show on the view's patches.
        texts: What stored texts say; None without texts.
        texts_left_out: Why stored texts are not shown; empty where they are, or where there are none.
    """

    record: Mapping[str, Any]
    transforms: tuple[str, ...]
    changed: int
    shifts: Mapping[str, ImageMeans]
    shares: Mapping[str, PooledShares]
    patches: Mapping[str, PatchEffects]
    calibration: Calibration | None
    cosine: Mapping[str, ImageMeans]
    falls: Mapping[str, ImageMeans]
    places: Mapping[str, PooledShares]
    texts: TextFacts | None = None
    texts_left_out: str = field(default="")

    @property
    def main(self) -> str:
        """The transform with the largest mean shift of the explained views."""
        return max(self.transforms, key=lambda name: float(self.shifts[name].estimates.mean[0]))

    @property
    def kind(self) -> str:
        """Kind of the patches, "class" or "direct"."""
        return self.patches[self.main].kind


def gather_explained(
    found: Explanation, *, resamples: int = RESAMPLES, on_step: OnStep = ignore_step
) -> ExplainedFacts:
    """Compute everything that a report says of an explanation.

    Args:
        found: The explanation.
        resamples: Number of resamples of the images.
        on_step: Receives each step as it begins.

    Raises:
        RunError: If a file is damaged, or the explanation holds no view.
    """
    names, tables = found.transforms, found.tables
    if not names:
        raise RunError(f"the explanation of {found.run.folder} holds no view")
    on_step("explanation")

    def each(compute: Callable[[str], Result]) -> dict[str, Result]:
        return {name: compute(name) for name in names}

    patches = _pool_patches(found, resamples=resamples)
    said = gather_texts(found.run, resamples=resamples, on_step=on_step)
    return ExplainedFacts(
        record=found.record,
        transforms=names,
        changed=count_changed_views(found.run, tables),
        shifts=each(lambda name: average_shifts(tables, name, resamples=resamples)),
        shares=each(lambda name: found.shares(name, resamples=resamples)),
        patches=patches,
        calibration=_find_calibration(found, kind=patches[names[0]].kind),
        cosine=each(lambda name: found.layers(name, resamples=resamples).cosine),
        falls=each(lambda name: average_falls(tables, name, resamples=resamples)),
        places=each(lambda name: pool_places(tables, name, resamples=resamples)),
        texts=said.texts,
        texts_left_out=said.texts_left_out,
    )


def _pool_patches(found: Explanation, *, resamples: int) -> dict[str, PatchEffects]:
    """Pool the most informative patches that all transforms have."""
    for kind in dict.fromkeys((found.kind, "direct")):
        try:
            return {name: found.patches(name, kind=kind, resamples=resamples) for name in found.transforms}
        except RunError:
            if kind == "direct":
                raise
    raise AssertionError("the loop returns or raises")


def _find_calibration(found: Explanation, *, kind: str) -> Calibration | None:
    own = [one for one in found.calibration() if (one.kind, one.direction) == (kind, DIRECTION)]
    return own[0] if own else None
