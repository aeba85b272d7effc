"""The HTML file: everything inlined, with a policy that blocks anything else from loading or running."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.core.paths import output_file
from embshift.core.progress import OnStep, ignore_step
from embshift.core.threads import limit_threads
from embshift.core.version import __version__
from embshift.runs.addresses import is_mirror, result_path
from embshift.runs.files import write_text
from embshift.runs.places import file_in
from embshift.runs.tables import RunTables
from embshift.runs.targets import check_target
from embshift.show.report.caveats import list_caveats
from embshift.show.report.embedded_figures import CONTEXT, CONTEXT_BYTES, embed_figures
from embshift.show.report.extremes import choose_extremes, list_rows, take_turns
from embshift.show.report.facts.run import Facts, gather_facts
from embshift.show.report.findings.listing import list_findings
from embshift.show.report.first.screen import build_first
from embshift.show.report.images import list_images
from embshift.show.report.methods import cite, list_commands, list_methods
from embshift.show.report.network import build_network, hint_at_explain
from embshift.show.report.numbers import bin_values, list_cells, list_metrics, list_overall
from embshift.show.report.paper import build_paper
from embshift.show.report.parts.palette import heat_colours, map_colours, transform_colours
from embshift.show.report.tables import build_curves, build_tables
from embshift.show.text.words import make_visible

__all__ = ["build_content", "build_page", "embed_json", "write_report"]

_SCRIPTS = (
    "dom",
    "state",
    "first",
    "table",
    "charts",
    "context",
    "paper",
    "images",
    "network",
    "methods",
    "contents",
    "main",
)
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def write_report(run: RunTables, out: str | Path | None = None, *, on_step: OnStep = ignore_step) -> Path:
    """Write the report of a run, as a whole or not at all.

    Args:
        run: The run; only its folder is read.
        out: Path of the file; ``report.html`` in the run's folder if None.
        on_step: Receives each step as it begins.

    Returns:
        Path of the file.

    Raises:
        RunError: If the run is damaged.
        StorageError: If it cannot be written.
        UsageError: If a run keeps its results under this path, or it leads to something else than a report.
    """
    path = _find_path(run, out)
    write_text(path, build_page(build_content(run, on_step=on_step)))
    return path


def _find_path(run: RunTables, out: str | Path | None) -> Path:
    if out is None and is_mirror(run.folder):
        out = result_path(run.folder, "report.html")
    if out is None:  # the run's own file, which may be damaged as well as any other of them
        return file_in(run.folder, "report.html")
    return check_target(output_file(out), kind="html")


def build_content(
    run: RunTables, *, resamples: int | None = None, on_step: OnStep = ignore_step
) -> dict[str, Any]:
    """Return everything that the page shows, ready for JSON, with names from outside made visible.

    Args:
        run: The run.
        resamples: As for `gather_facts`.
        on_step: Receives each step as it begins.
    """
    with limit_threads(images=run.count_images()):
        facts = gather_facts(run, resamples=resamples, on_step=on_step)
        network = build_network(run, resamples=resamples or RESAMPLES, on_step=on_step)
        figures = _embed_context(run, facts, on_step=on_step)
    on_step("images")
    ends = choose_extremes(facts)
    return {
        "folder": make_visible(run.folder.resolve().name),
        "encoder": make_visible(run.info["encoder"].get("name", "")),
        "mapName": make_visible(facts.summary.map_name),
        "version": __version__,
        "images": facts.measured,
        "level": facts.level,
        "first": build_first(run, facts, network=network["card"] if network else None),
        "paper": build_paper(run, facts),
        "findings": list_findings(facts),
        "transforms": _transforms(facts),
        "metrics": list_metrics(facts),
        "cells": list_cells(facts),
        "overall": list_overall(facts),
        "distributions": bin_values(facts),
        "tables": build_tables(facts),
        "figures": figures,
        "curves": build_curves(facts),
        "extremes": [
            [asdict(ends[row, column]) for column in range(len(facts.metrics))]
            for row in range(len(facts.transforms))
        ],
        "shown": list_images(
            run,
            facts,
            rows=list_rows(ends),
            first=[(row, facts.transforms[transform]) for transform, row in take_turns(ends)],
        ),
        "heatColours": heat_colours(),
        "mapColours": map_colours(),
        "network": network
        and {part: network[part] for part in ("title", "findings", "tables", "figures", "note")},
        "methods": [*list_methods(run, facts), *_explanation_methods(network)],
        "caveats": [*list_caveats(facts), *(network["caveats"] if network else [])],
        "commands": list_commands(run, explain=network["command"] if network else ""),
        "hint": hint_at_explain(run),
        "citation": cite(),
        "draws": run.info["plan"].get("draws", 1),
    }


def _embed_context(run: RunTables, facts: Facts, *, on_step: OnStep) -> list[dict[str, Any]]:
    """Return the figures beside the tables on what shifts mean; none where embeddings were not measured."""
    if facts.embeddings is None:
        return []
    return embed_figures(run, CONTEXT, limit=CONTEXT_BYTES, on_step=on_step)[0]


def _explanation_methods(network: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    lines = network["methods"] if network else []
    return [{"title": "Explanation", "lines": lines}] if lines else []


def _transforms(facts: Facts) -> list[dict[str, Any]]:
    colours = transform_colours(facts.transforms)
    return [
        {"name": make_visible(name), "colour": colour}
        for name, colour in zip(facts.transforms, colours, strict=True)
    ]


def embed_json(found: Mapping[str, Any]) -> str:
    """Write JSON for inside a script tag: no character in it can end the tag or begin another."""
    text = json.dumps(found, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&]", lambda one: _ESCAPED[one[0]], text)


def _asset(name: str) -> str:
    return (files("embshift.show.report") / "assets" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"


def build_page(found: Mapping[str, Any]) -> str:
    """Return the HTML file with its content, as text.

    Args:
        found: Result of `build_content`.
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
        "data": embed_json(found),
    }
    # A single pass: text that was filled in is never searched for slots.
    return _SLOT.sub(lambda slot: parts[slot[1]], _asset("report.html"))
