"""One HTML file: everything inlined, and a policy in it that lets nothing else be loaded or run."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from embshift.core.version import __version__
from embshift.runs.files import write_text
from embshift.runs.tables import RunTables
from embshift.show.report.caveats import caveats
from embshift.show.report.chosen import choose, rows_of
from embshift.show.report.facts import Facts, gather
from embshift.show.report.methods import citation, commands, methods
from embshift.show.report.numbers import cells, distributions, metric_content, overall
from embshift.show.report.palette import map_colours, scale_colours, transform_colours
from embshift.show.report.pictures import pictures
from embshift.show.report.scale import sentences
from embshift.show.report.tables import curves, tables
from embshift.show.report.text import visible

__all__ = ["content", "embedded_json", "page", "write_report"]

_SCRIPTS = ("dom", "state", "table", "charts", "beyond", "pictures", "methods", "main")
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def write_report(run: RunTables, out: str | Path | None = None) -> Path:
    """Write the report of a run; it appears whole or not at all.

    Args:
        run: The run; its folder is all that is read.
        out: The file; ``report.html`` in the run's folder where None.

    Returns:
        The file.

    Raises:
        StorageError: If it cannot be written.
    """
    path = run.folder / "report.html" if out is None else Path(out)
    write_text(path, page(content(run)))
    return path


def content(run: RunTables) -> dict[str, Any]:
    """All that the page shows, ready for JSON; every name from outside is made visible."""
    facts = gather(run)
    ends = choose(facts)
    return {
        "folder": visible(run.folder.resolve().name),
        "encoder": visible(run.info["encoder"].get("name", "")),
        "mapName": visible(facts.summary.map_name),
        "version": __version__,
        "images": facts.measured,
        "level": facts.level,
        "findings": sentences(facts),
        "transforms": _transforms(facts),
        "metrics": metric_content(facts),
        "cells": cells(facts),
        "overall": overall(facts),
        "distributions": distributions(facts),
        "tables": tables(facts),
        "curves": curves(facts),
        "extremes": [
            [_ends(ends[row, column]) for column in range(len(facts.metrics))]
            for row in range(len(facts.transforms))
        ],
        "pictures": pictures(run, facts, rows=rows_of(ends), first=_first(facts, ends)),
        "scale": scale_colours(),
        "mapColours": map_colours(),
        "methods": methods(run, facts),
        "caveats": caveats(facts),
        "commands": commands(run),
        "citation": citation(),
        "draws": run.info["plan"].get("draws", 1),
    }


def _transforms(facts: Facts) -> list[dict[str, Any]]:
    colours = transform_colours(facts.transforms)
    return [
        {"name": visible(name), "colour": colour}
        for name, colour in zip(facts.transforms, colours, strict=True)
    ]


def _ends(found: Any) -> dict[str, list[int]]:
    return {"most": list(found.most), "least": list(found.least)}


def _first(facts: Facts, ends: Mapping[tuple[int, int], Any]) -> list[tuple[int, str]]:
    """Views behind the numbers, the most extreme of all transforms and metrics first."""
    return [
        (row, facts.transforms[transform])
        for place in range(max((len(one.most) for one in ends.values()), default=0))
        for (transform, _), one in ends.items()
        for row in (*one.most[place : place + 1], *one.least[place : place + 1])
    ]


def embedded_json(found: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script tag: no character in it can end the tag or begin another."""
    text = json.dumps(found, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&]", lambda one: _ESCAPED[one[0]], text)


def _asset(name: str) -> str:
    return (files("embshift.show.report") / "assets" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"


def page(found: Mapping[str, Any]) -> str:
    """The page around its content.

    Args:
        found: What `content` gives.

    Returns:
        The whole file, as text.
    """
    library, style = _asset("echarts.min.js"), _asset("report.css")
    own = "\n".join(_asset(f"{name}.js") for name in _SCRIPTS)
    script = f'(() => {{\n"use strict";\n{own}\n}})();\n'
    policy = (
        f"default-src 'none'; script-src {_digest(library)} {_digest(script)};"
        f" style-src {_digest(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": policy,
        "style": style,
        "library": library,
        "script": script,
        "data": embedded_json(found),
    }
    # One pass: what is filled in is never looked through for slots.
    return _SLOT.sub(lambda slot: parts[slot[1]], _asset("report.html"))
