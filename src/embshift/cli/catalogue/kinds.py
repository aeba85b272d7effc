"""The kinds of things that can be chosen by name, and what each of them states about itself."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from embshift.cli.catalogue.constants import NotConstant, path_of
from embshift.cli.catalogue.statements import Family, read_statements

__all__ = ["KINDS", "Entry", "Kind", "describe", "entries", "names", "presets", "registered_entries"]

Entry = Mapping[str, Any]
"""What one member states, by field."""


class Kind(NamedTuple):
    """A kind of things that are registered.

    Attributes:
        word: Its word in the singular, as errors say it.
        family: Where its members are registered.
        registered: Returns, from the registry itself, the objects whose attributes are the fields.
    """

    word: str
    family: Family
    registered: Callable[[], Mapping[str, Any]]


def _transforms() -> Mapping[str, Any]:
    from embshift.transforms import TRANSFORMS

    return TRANSFORMS


def _metrics() -> Mapping[str, Any]:
    from embshift.metrics import METRICS

    return {name: metric.spec for name, metric in METRICS.items()}


def _encoders() -> Mapping[str, Any]:
    from embshift.encoders import ENCODERS

    return ENCODERS


def _figures() -> Mapping[str, Any]:
    from embshift.show.figures import FIGURES

    return FIGURES


def _exporters() -> Mapping[str, Any]:
    from embshift.show.handover import EXPORTERS

    return EXPORTERS


KINDS: Mapping[str, Kind] = {
    "transforms": Kind(
        word="transform",
        family=Family(
            home="embshift.transforms",
            registry="TRANSFORMS",
            decorators=(("embshift.transforms", "transform"),),
            fields=("name", "family", "summary", "strength"),
        ),
        registered=_transforms,
    ),
    "metrics": Kind(
        word="metric",
        family=Family(
            home="embshift.metrics",
            registry="METRICS",
            decorators=(
                ("embshift.metrics", "pixel_metric"),
                ("embshift.metrics", "aligned_metric"),
                ("embshift.metrics", "pair_metric"),
            ),
            fields=("name", "bounds", "identity", "direction", "summary", "blind_to"),
        ),
        registered=_metrics,
    ),
    "encoders": Kind(
        word="encoder",
        family=Family(
            home="embshift.encoders",
            registry="ENCODERS",
            decorators=(("embshift.encoders", "encoder"), ("embshift.encoders.towers.family", "family")),
            fields=("name", "summary", "embedding", "map_source", "model_types", "written"),
            blank={"written": ""},
        ),
        registered=_encoders,
    ),
    "figures": Kind(
        word="figure",
        family=Family(
            home="embshift.show.figures",
            registry="FIGURES",
            decorators=(("embshift.show.figures", "figure"),),
            fields=("name", "question", "shows", "source", "needs"),
        ),
        registered=_figures,
    ),
    "exporters": Kind(
        word="exporter",
        family=Family(
            home="embshift.show.handover",
            registry="EXPORTERS",
            decorators=(("embshift.show.handover", "exporter"),),
            fields=("name", "summary", "opened", "mark"),
        ),
        registered=_exporters,
    ),
}
"""Every kind that is registered, by its name in ``embshift list``."""


@cache
def entries(kind: str, /) -> Mapping[str, Entry]:
    """Return what the members of a kind state, by name in sorted order.

    They are read from the source files where that is possible, in a tenth of a second. Else the modules that
    register them are imported, which takes seconds for some.

    Args:
        kind: A key of `KINDS`.
    """
    try:
        return read_statements(KINDS[kind].family)
    except NotConstant:
        return registered_entries(kind)


def registered_entries(kind: str, /) -> Mapping[str, Entry]:
    """Return what `entries` does, from the registry itself."""
    fields = KINDS[kind].family.fields
    found = KINDS[kind].registered()
    return {name: {field: getattr(found[name], field) for field in fields} for name in found}


@cache
def presets() -> Mapping[str, Entry]:
    """Return the bundled presets as they are written in TOML, by name in sorted order."""
    import tomllib

    folder, found = path_of("embshift.transforms.presets"), dict[str, Entry]()
    for file in sorted(os.listdir(folder)):
        name, suffix = os.path.splitext(file)
        if suffix == ".toml":
            with open(os.path.join(folder, file), "rb") as opened:
                found[name] = tomllib.load(opened)
    return found


def names(kind: str, /) -> tuple[str, ...]:
    """Return the names of a kind, sorted; those of transforms include the ones of the bundled presets.

    Args:
        kind: "transforms", "metrics", "encoders", "presets", "figures" or "exporters".
    """
    return tuple(sorted(describe(kind)))


def describe(kind: str, /) -> dict[str, str]:
    """Return one line about everything of a kind, by name; see `names`."""
    if kind == "presets":
        return {name: preset["summary"] for name, preset in presets().items()}
    line = "question" if kind == "figures" else "summary"
    registered = {name: entry[line] for name, entry in entries(kind).items()}
    return {**_planned(), **registered} if kind == "transforms" else registered


def _planned() -> dict[str, str]:
    tables = {name: preset["transform"] for name, preset in presets().items()}
    return {table["name"]: f"of the preset {name}" for name, each in tables.items() for table in each}
