"""Comparisons of runs, image by image: preparation floors, numeric floors, differences of encoders."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float64

from embshift.analysis.embeddings.floors import Floor, floor
from embshift.analysis.embeddings.pairs import Pairs
from embshift.analysis.of_run import pair_views
from embshift.analysis.pairing.pairing import pair_originals, pair_panels
from embshift.analysis.pairing.panels import read_panel, read_weights_digest
from embshift.analysis.shifts.paired_tests import PairedTests, compare_columns, compare_sides
from embshift.core.errors import RunError, UnknownNameError
from embshift.runs.tables import RunTables

__all__ = ["PREPARATION", "compare", "find_floors"]

PREPARATION = "preparation"
"""Preset whose transforms prepare an image differently without changing what it shows."""

_COMPUTED = ("precision", "runtime", "device", "batch", "threads")
"""Fields of a plan that determine how pixels become embeddings."""


def find_floors(run: RunTables, others: Sequence[RunTables] = ()) -> tuple[Floor, ...]:
    """Return the floors of a run: shifts of images whose content was not changed.

    The transform `identity` of any of the runs gives a numeric floor. Every other transform of the preset
    "preparation" gives a preparation floor. Another run also gives a floor, from its originals and those of
    this run: a preparation floor if any of their pixels differ, as with another resize rule, and a numeric
    floor if only device, batch, runtime or precision differ.

    Args:
        run: The run whose floors are sought.
        others: Runs of the same images with the same encoder.

    Raises:
        RunError: If a run used another encoder, or one whose weights are not known, or shares no image.
    """
    found = list(_own(run))
    originals = pair_views(run)
    for other in others:
        if other.folder.resolve() == run.folder.resolve():
            continue
        _check_weights(run, other)
        found += [*_own(other), _between(run, other, originals=originals)]
    return tuple(found)


def _check_weights(run: RunTables, other: RunTables) -> None:
    """Raise `RunError` unless both runs state the same weights."""
    for one in (run, other):
        name = one.info["encoder"]["name"]
        if read_weights_digest(one.info["encoder"]) is None:
            raise RunError(
                f"{one.folder} does not say which weights its encoder ({name}) has, and a floor needs one"
                " encoder; measure the transform 'identity' in the run for a floor of its own"
            )
    if read_weights_digest(other.info["encoder"]) != read_weights_digest(run.info["encoder"]):
        raise RunError(
            f"{other.folder} was measured with other weights (encoder {name}); a"
            f" floor needs one encoder: measure it with {run.info['encoder']['name']}"
        )


Kind: TypeAlias = Literal["numeric", "preparation"]


def _own(run: RunTables) -> Iterator[Floor]:
    """Return the floors given by a run's own transforms."""
    plan = run.info["plan"]
    kinds: dict[str, Kind | None] = {
        one["name"]: _kind(one, preset=plan.get("preset")) for one in plan["transforms"]
    }
    if not any(kinds.values()):
        return
    pairs = pair_views(run)
    for name, kind in kinds.items():
        if kind is None:
            continue
        draws, _ = pairs.views(name)
        at = np.concatenate([draw.at for draw in draws] or [np.empty(0, np.int64)])
        units = np.concatenate([draw.units for draw in draws] or [np.empty((0, pairs.units.shape[1]))])
        yield floor(pairs.units[at], units, kind=kind, name=name)


def _kind(transform: Mapping[str, Any], *, preset: str | None) -> Kind | None:
    if transform.get("target") == "identity":
        return "numeric"
    return "preparation" if preset == PREPARATION else None


def _between(run: RunTables, other: RunTables, *, originals: Pairs) -> Floor:
    """Return the floor between the originals of two runs, matched by image id."""
    pairing = pair_originals(read_panel(run), read_panel(other))
    theirs = pair_views(other)
    shared = {*pairing.images} & {*originals.ids} & {*theirs.ids}
    why = [*pairing.prepared, *_differing(run, other, _COMPUTED)]
    return floor(
        _by_id(originals.among(shared)),
        _by_id(theirs.among(shared)),
        kind="preparation" if pairing.originals.differing else "numeric",
        name=", ".join(why) or f"measured again in {other.folder.name}",
    )


def _by_id(pairs: Pairs) -> Float64[np.ndarray, "images dim"]:
    return pairs.units[pairs.order_by_id()]


def _differing(run: RunTables, other: RunTables, names: Sequence[str]) -> list[str]:
    one, two = run.info["plan"], other.info["plan"]
    return [f"{name} {two[name]}" for name in names if name in two and one.get(name) != two[name]]


def compare(
    run: RunTables,
    other: RunTables | None,
    *,
    by: str,
    detect: float | None,
    resamples: int,
    seed: int,
) -> PairedTests:
    """Run paired tests between all transforms of a run; or, for each transform, between two runs.

    Args:
        run: The run.
        other: Another run of the same images; None to compare the transforms of one run.
        by: A metric of the run.
        detect: A difference; the tests report the number of images needed to detect it.
        resamples: Number of random sign flips; up to 13 images take all flips.
        seed: Their seed.

    Raises:
        PlanError: If an option is out of range, or the runs share no image or transform.
        UnknownNameError: If a run lacks the metric.
    """
    options: dict[str, Any] = {"by": by, "detect": detect, "resamples": resamples, "seed": seed}
    unit = next((spec.unit for spec in run.metrics if spec.name == by), "1")
    if other is None:
        values = _column(run, by, transforms=run.transforms)
        table = np.stack(list(values.values())) if values else np.empty((0, len(run.transforms)))
        return compare_columns(table, transforms=run.transforms, unit=unit, **options)
    pairing = pair_panels(read_panel(run), read_panel(other))
    shared = [one.name for one in pairing.transforms]
    found = compare_sides(
        _column(run, by, transforms=shared),
        _column(other, by, transforms=shared),
        transforms=shared,
        sides=_sides(run, other),
        unit=unit,
        **options,
    )
    return replace(found, notes=(*found.notes, *pairing.notes()))


def _sides(run: RunTables, other: RunTables) -> tuple[str, str]:
    """Return names that distinguish the two runs: encoders if these differ, else folders."""
    one, two = (side.info["encoder"]["name"] for side in (run, other))
    return (str(one), str(two)) if one != two else (run.folder.name, other.folder.name)


def _column(
    run: RunTables, by: str, *, transforms: Sequence[str]
) -> dict[str, Float64[np.ndarray, " transforms"]]:
    """Return the values of one metric by image id, with the given order of transforms."""
    values = run.values()
    if by not in values.metrics:
        raise UnknownNameError("metric", by, values.metrics)
    ids = run.image_ids()
    columns = [values.transforms.index(name) for name in transforms]
    table = values.values[:, columns, values.metrics.index(by)]
    return {ids[row]: table[at] for at, row in enumerate(values.rows.tolist())}
