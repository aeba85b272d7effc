"""``embshift list``."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from embshift.cli.catalogue.kinds import Entry, entries, names, presets
from embshift.cli.output.columns import format_columns
from embshift.cli.output.terminal import print_text, terminal_width
from embshift.core.errors import UnknownNameError

__all__ = ["COLUMNS", "LISTED", "list_names", "rows"]

Row = Sequence[str]


def list_names(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift list``."""
    if parsed.what is None:
        width = max(map(len, LISTED)) + 2
        for kind in LISTED:
            print_text(f"{kind:{width}}{', '.join(names(kind))}")
        return 0
    if parsed.what not in LISTED:
        raise UnknownNameError("list", parsed.what, LISTED)
    print_text(format_columns(COLUMNS[parsed.what], rows(parsed.what), width=terminal_width()))
    return 0


def rows(kind: str, found: Mapping[str, Entry] | None = None) -> tuple[Row, ...]:
    """Return the rows of a list.

    Args:
        kind: A key of `LISTED`.
        found: What the members state; read from the catalogue where None.
    """
    known = presets() if kind == "presets" else entries(kind)
    return tuple(LISTED[kind](known if found is None else found))


def _transform_rows(found: Mapping[str, Entry]) -> Iterator[Row]:
    for preset, content in presets().items():
        for table in content["transform"]:
            yield table["name"], f"preset {preset}", _construction(table), "–"
    for name, entry in found.items():
        levels = entry["strength"].severities if entry["strength"] is not None else ()
        yield name, entry["family"], entry["summary"], " ".join(f"{each:g}" for each in levels) or "–"


def _construction(table: Mapping[str, Any]) -> str:
    """Return what a ``[[transform]]`` table of a preset builds, e.g. "GaussNoise(p=1.0)"."""
    target = next(table[key] for key in ("albumentations", "transform", "function") if key in table)
    given = ", ".join(f"{name}={value}" for name, value in table.get("parameters", {}).items())
    return f"{target}({given})"


def _metric_rows(found: Mapping[str, Entry]) -> Iterator[Row]:
    for name, entry in found.items():
        low, high = (f"{bound:g}".replace("inf", "∞") for bound in entry["bounds"])
        identity = f"{entry['identity']:g}"
        yield name, f"{low} – {high}", identity, entry["direction"], entry["summary"], entry["blind_to"]


def _encoder_rows(found: Mapping[str, Entry]) -> Iterator[Row]:
    for name, entry in found.items():
        given = "folder or hub name" if entry["model_types"] else f"--encoder {name}"
        chosen = f"--encoder {entry['written']}" if entry["written"] else given
        yield name, chosen, entry["summary"], entry["embedding"], entry["map_source"]


def _preset_rows(found: Mapping[str, Entry]) -> Iterator[Row]:
    for name, entry in found.items():
        yield name, entry["summary"], ", ".join(table["name"] for table in entry["transform"])


def _figure_rows(found: Mapping[str, Entry]) -> Iterator[Row]:
    for name, entry in found.items():
        yield name, entry["question"], entry["shows"], entry["source"], entry["needs"] or "–"


def _exporter_rows(found: Mapping[str, Entry]) -> Iterator[Row]:
    for name, entry in found.items():
        yield name, entry["summary"], entry["opened"]


LISTED: Mapping[str, Callable[[Mapping[str, Entry]], Iterator[Row]]] = {
    "transforms": _transform_rows,
    "metrics": _metric_rows,
    "encoders": _encoder_rows,
    "presets": _preset_rows,
    "figures": _figure_rows,
    "exporters": _exporter_rows,
}
"""Everything that can be listed, and what makes its rows."""

COLUMNS: Mapping[str, Row] = {
    "transforms": ("transform", "from", "what it is", "severities 1 to 5"),
    "metrics": ("metric", "range", "identity", "direction", "what it compares", "blind to"),
    "encoders": ("encoder", "choose it by", "what it is", "embedding", "map"),
    "presets": ("preset", "summary", "transforms"),
    "figures": ("figure", "question", "what is shown", "follows", "needs"),
    "exporters": ("exporter", "what it writes", "opened by"),
}
"""The columns of each list."""
