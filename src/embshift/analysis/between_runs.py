"""Comparisons of runs, image by image: preparation floors, numeric floors, differences of encoders."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64

from embshift.analysis.embeddings.floors import Floor, floor
from embshift.analysis.embeddings.pairs import Pairs
from embshift.analysis.of_run import pair_views
from embshift.analysis.shifts.paired_tests import PairedTests, compare_columns, compare_sides
from embshift.core.errors import RunError, UnknownNameError
from embshift.core.words import count_noun
from embshift.runs.tables import RunTables

__all__ = ["PREPARATION", "compare", "find_floors"]

PREPARATION = "preparation"
"""Preset whose transforms prepare an image differently without changing what it shows."""

_PREPARED = ("image_size", "resize", "decode", "background", "value_range")
"""Fields of a plan that determine how an image becomes pixels."""

_COMPUTED = ("precision", "runtime", "device", "batch", "threads")
"""Fields of a plan that determine how pixels become embeddings."""


def find_floors(run: RunTables, others: Sequence[RunTables] = ()) -> tuple[Floor, ...]:
    """Return the floors of a run: shifts of images whose content was not changed.

    The transform `identity` of any of the runs gives a numeric floor. Every other transform of the preset
    "preparation" gives a preparation floor. Another run also gives a floor, from its originals and those of
    this run: a preparation floor if it was made with another resize rule, size or background, and a numeric
    floor if only device, batch, runtime or precision differ.

    Args:
        run: The run whose floors are sought.
        others: Runs of the same images with the same encoder.

    Raises:
        RunError: If a run used another encoder, or shares no image.
    """
    found = list(_own(run))
    originals = pair_views(run)
    for other in others:
        if other.info["encoder"].get("digest") != run.info["encoder"].get("digest"):
            raise RunError(
                f"{other.folder} was measured with other weights (encoder {other.info['encoder']['name']}); a"
                f" floor needs one encoder: measure it with {run.info['encoder']['name']}"
            )
        found += _own(other)
        if other.folder.resolve() != run.folder.resolve():
            found.append(_between(run, other, originals=originals))
    return tuple(found)


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
    beside = pair_views(other)
    place = {name: at for at, name in enumerate(beside.ids)}
    shared = [(at, place[name]) for at, name in enumerate(originals.ids) if name in place]
    if not shared:
        raise RunError(f"{other.folder} shares no image with {run.folder}; measure the same images")
    ours, theirs = (list(side) for side in zip(*shared, strict=True))
    prepared = _differing(run, other, _PREPARED)
    computed = _differing(run, other, _COMPUTED)
    return floor(
        originals.units[ours],
        beside.units[theirs],
        kind="preparation" if prepared else "numeric",
        name=", ".join([*prepared, *computed]) or f"measured again in {other.folder.name}",
    )


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
    shared = [name for name in run.transforms if name in other.transforms]
    if not shared:
        raise RunError(f"{other.folder} shares no transform with {run.folder}; measure the same preset")
    _check_specifications(run, other, shared)
    found = compare_sides(
        _column(run, by, transforms=shared),
        _column(other, by, transforms=shared),
        transforms=shared,
        sides=_sides(run, other),
        unit=unit,
        **options,
    )
    return replace(found, notes=(*found.notes, *_describe_pairing(run, other, shared)))


def _check_specifications(run: RunTables, other: RunTables, shared: Sequence[str]) -> None:
    """Raise `RunError` where transforms of one name differ in what they do."""
    for name in shared:
        one, two = _specification(run, name), _specification(other, name)
        if one != two:
            raise RunError(
                f"{name} is not one transform in both runs: {_describe_difference(one, two)} in {run.folder},"
                f" {_describe_difference(two, one)} in {other.folder}; compare runs with the same transforms,"
                " or give one of them another name"
            )


def _specification(run: RunTables, name: str) -> dict[str, Any]:
    """Return everything that determines what a transform does, as one level of names and values."""
    stated = next(one for one in run.info["plan"]["transforms"] if one["name"] == name)
    code = {"code": run.info.get("code", {}).get(name)}
    fields = {key: value for key, value in stated.items() if key not in ("name", "parameters")}
    return fields | dict(stated.get("parameters") or {}) | code


def _describe_difference(one: Mapping[str, Any], two: Mapping[str, Any]) -> str:
    """Return those values of one specification that differ in the other."""
    missing = object()
    differing = [key for key in (*one, *two) if one.get(key, missing) != two.get(key, missing)]
    return ", ".join(f"{key} {one.get(key, '–')}" for key in dict.fromkeys(differing))


def _describe_pairing(run: RunTables, other: RunTables, shared: Sequence[str]) -> tuple[str, ...]:
    """Return notes on what was compared: images and transforms that only one run has, and other pixels."""
    ours, theirs = set(run.image_ids().values()), set(other.image_ids().values())
    alone = [
        f"{count_noun(len(one - two), 'image')} only in {side.folder.name}"
        for side, one, two in ((run, ours, theirs), (other, theirs, ours))
        if one - two
    ]
    alone += [
        f"only in {side.folder.name}: {', '.join(own)}"
        for side in (run, other)
        if (own := [name for name in side.transforms if name not in shared])
    ]
    differing, views = _count_other_pixels(run, other)
    why = _differing(run, other, (*_PREPARED, "seed", "views"))
    prepared = (
        f"{differing:,} of {views:,} shared originals and views have other pixels in {other.folder.name}"
        f" ({', '.join(why) or 'other versions of libraries, or other draws'}): their preparation is compared"
        " as well"
    )
    return (*([f"not compared: {'; '.join(alone)}"] if alone else []), *([prepared] if differing else []))


def _count_other_pixels(run: RunTables, other: RunTables) -> tuple[int, int]:
    """Count the originals and views of both runs, and those whose pixels differ."""
    keys = ["image", "transform", "draw"]
    both = _digests(run).join(_digests(other), keys, join_type="inner", right_suffix="_other")
    pairs = zip(*(both[name].to_pylist() for name in ("pixels_digest", "pixels_digest_other")), strict=True)
    return sum(one != two for one, two in pairs), len(both)


def _digests(run: RunTables) -> pa.Table:
    """Return the digest of the pixels of every original and view, by image id, transform and draw."""
    repeated = run.repeated()
    ids = {row: name for row, name in run.image_ids().items() if row not in repeated}
    columns = ["row", "transform", "draw", "status", "pixels_digest"]
    whole = pa.concat_tables(run.chunks("embeddings", columns))
    kept = whole.filter((pc.field("status") == "ok") & pc.field("row").isin(list(ids)))
    names = pa.array([ids[row] for row in kept["row"].to_pylist()], pa.string())
    return kept.drop_columns(["row", "status"]).append_column("image", names)


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
