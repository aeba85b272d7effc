"""Methods and provenance: parameters, seeds, versions, encoder, counts, commands, citation."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from embshift.analysis.parts.distributions import describe_error
from embshift.core.version import __version__
from embshift.runs.addresses import call_folder
from embshift.runs.places import file_in
from embshift.runs.tables import RunTables
from embshift.show.report.facts.run import Facts
from embshift.show.text.words import format_percent, make_visible

__all__ = ["cite", "list_commands", "list_methods"]

_PLAN = {
    "preset": "preset",
    "sources": "sources, as given",
    "limit": "maximum number of images",
    "seed": "random seed",
    "draws": "draws per transform",
    "image_size": "image size after resizing: height, width (pixels)",
    "resize": "resizing rule",
    "decode": "decoding",
    "views": "how views are made",
    "background": "background of transparent pixels (sRGB)",
    "value_range": "values of 16-bit images that become black and white",
    "metric_sample": "maximum number of images for metrics of maps and pixels",
    "precision": "precision of the encoder",
    "runtime": "runtime of the encoder",
    "batch": "views per batch",
    "threads": "threads",
    "device": "device",
    "max_pixels": "maximum image size (pixels)",
    "max_aspect": "maximum aspect ratio",
}

_ENCODER = {
    "name": "name",
    "family": "family",
    "dim": "embedding dimension",
    "embedding": "embedding",
    "map_name": "kind of map",
    "map_source": "source of the map",
    "layers": "blocks with a class-token attention row",
    "heads": "heads of the map",
    "digest": "SHA-256 of the weights",
    "config": "SHA-256 of the configuration",
    "preprocessing": "preprocessing",
    "precision": "precision",
    "device": "device",
}

_COUNTS = {
    "images": "inputs",
    "failed": "unusable inputs",
    "repeated": "repeated images, counted once",
    "views": "views",
    "views_failed": "views that lack an embedding, or their original's",
    "undefined": "undefined values",
    "views_kept": "views kept as images",
    "views_changed": "views not kept because their file changed",
}

Section = dict[str, Any]


def list_methods(run: RunTables, facts: Facts) -> list[Section]:
    """Return sections of labelled lines."""
    info = run.info
    plan, encoder = info["plan"], info["encoder"]
    if encoder.get("map_name") == "":
        encoder = _omit(encoder, "layers", "heads")  # of the map that it does not have
    return [
        _section("Run", _run_lines(run)),
        _section("Plan", _label_all(_omit(plan, "transforms", "metrics"), _PLAN)),
        _section("Counts", _label_all(info.get("counts", {}), _COUNTS)),
        _section("Encoder", _label_all(encoder, _ENCODER)),
        *([_section("Ingested", _label_all(info["ingested"], {}))] if "ingested" in info else []),
        *(
            _section(f"Transform {at}: {make_visible(one['name'])}", _transform_lines(one, info))
            for at, one in enumerate(plan["transforms"], start=1)
        ),
        _section("Statistics", _statistics_lines(facts)),
        _section("Versions", _label_all(info.get("versions", {}), {})),
        _section("Machine", _label_all(info.get("machine", {}), {})),
        _section("Unusable inputs (the first 100)", _failure_lines(info)),
        _section("Left out of the listing (the first five of each kind)", _left_out_lines(info)),
    ]


def _omit(content: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return {name: value for name, value in content.items() if name not in names}


def _section(title: str, lines: Iterator[tuple[str, str]]) -> Section:
    return {"title": title, "lines": [[make_visible(label), make_visible(text)] for label, text in lines]}


def _format_value(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _label(content: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield labelled lines of a part of run.json; empty values are left out, false and 0 are not."""
    for name, label in labels.items():
        if content.get(name, "") not in ("", None):
            yield label, _format_value(content[name])


def _label_all(content: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the labelled lines, then everything else that is recorded, under its own name."""
    yield from _label(content, labels)
    yield from _label(content, {name: name.replace("_", " ") for name in content if name not in labels})


def _run_lines(run: RunTables) -> Iterator[tuple[str, str]]:
    yield "folder", run.folder.resolve().name
    yield from _label(
        run.info,
        {"state": "state", "started": "started", "finished": "finished", "fingerprint": "fingerprint"},
    )


def _transform_lines(plan: Mapping[str, Any], info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "target" in plan:
        yield "function", f"{plan.get('kind', '')}: {plan['target']}".removeprefix(": ")
    for name, value in plan.get("parameters", {}).items():
        yield name, _format_value(value)
    yield from _label(plan, {"severity": "severity, 1 to 5", "strength": _strength_label(plan, info)})
    digest = info.get("code", {}).get(plan["name"])
    if digest:
        yield "SHA-256 of the code", digest


def _strength_label(plan: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    """Return a label with the meaning and unit of the strength, as the run records them."""
    stated = info.get("strengths", {}).get(plan.get("target"), {})
    meaning = ", ".join(str(stated[part]) for part in ("meaning", "unit") if stated.get(part))
    return f"strength ({meaning})" if meaning else "strength"


def _statistics_lines(facts: Facts) -> Iterator[tuple[str, str]]:
    found = facts.statistics
    yield "unit of analysis", "the image: draws are averaged first, and equal images count once"
    if facts.part is None:
        yield "intervals of means", f"paired bootstrap over images, BCa, {format_percent(found.level)} each"
        yield "resamples, seed", f"{found.resamples:,}, {found.seed}"
    else:
        yield "intervals of means", f"BCa, from moments of all images, {format_percent(found.level)} each"
        yield "normal draws in place of resamples, seed", f"{found.resamples:,}, {found.seed}"
        yield "summed in parts", describe_error(facts.metrics)
    yield (
        "ranks",
        "simultaneous rank intervals (Mogstad, Romano, Shaikh & Wilhelm 2024),"
        f" {format_percent(found.level)} jointly",
    )
    yield (
        "overall score",
        "mean of the performance metrics' means; its n is that of the metric with the fewest images",
    )


def _failure_lines(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for one in info.get("failures", []):
        yield f"{one.get('member', '')}", f"{one.get('status', '')}: {one.get('error', '')}"


def _left_out_lines(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for one in info.get("left_out", []):
        yield f"{one['count']:,} x {one['reason']}", ", ".join(one["first"])


def list_commands(run: RunTables, *, explain: str = "") -> list[str]:
    """Return the commands that reproduce the run and its report; none if the folder holds no plan.

    Args:
        run: The run.
        explain: The command that explains the run ``again``; empty for none.
    """
    if not file_in(run.folder, "plan.toml").is_file():
        return []
    plan = shlex.quote(f"{call_folder(run.folder)}/plan.toml")
    lines = (f"embshift run --plan {plan} --out again", explain, "embshift report again")
    return [make_visible(line) for line in lines if line]


def cite() -> dict[str, str]:
    """Return how to cite the paper and the tool."""
    return {
        "words": (
            "Dahal, A., Murad, S. A., Rahimi, N. (2025). Embedding Shift Dissection on CLIP: Effects of"
            " Augmentations on VLM's Representation Learning. CVPR 2025 workshop on Mechanistic"
            " Interpretability for Vision (MIV). arXiv 2503.23495."
        ),
        "bibtex": (
            "@inproceedings{dahal2025embedding,\n"
            "  title     = {Embedding Shift Dissection on {CLIP}: Effects of Augmentations on {VLM}'s"
            " Representation Learning},\n"
            "  author    = {Dahal, Ashim and Murad, Saydul Akbar and Rahimi, Nick},\n"
            "  booktitle = {CVPR Workshop on Mechanistic Interpretability for Vision (MIV)},\n"
            "  year      = {2025},\n"
            "  note      = {arXiv:2503.23495}\n"
            "}"
        ),
        "tool": f"The embshift authors. embshift {__version__} (Apache-2.0).",
    }
