"""How the numbers were made: parameters, seeds, versions, encoder, counts, and the command for it."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from embshift.core.version import __version__
from embshift.runs.tables import RunTables
from embshift.show.report.facts import Facts
from embshift.show.report.text import percent, visible

__all__ = ["citation", "commands", "methods"]

_PLAN = {
    "preset": "preset",
    "sources": "sources, as given",
    "limit": "only the first pictures",
    "seed": "seed of all random numbers",
    "draws": "draws of each transform",
    "image_size": "pictures resized to height, width (pixels)",
    "resize": "resized by",
    "decode": "decoding",
    "views": "how views are made",
    "background": "put behind transparent pixels (sRGB)",
    "metric_sample": "pictures for metrics that compare maps or pixels, at most",
    "precision": "precision of the encoder",
    "runtime": "library that computes the encoder",
    "batch": "views in a batch",
    "threads": "threads",
    "device": "device",
    "max_pixels": "largest picture (pixels)",
    "max_aspect": "largest aspect",
}

_ENCODER = {
    "name": "name",
    "family": "family",
    "dim": "length of an embedding",
    "embedding": "embedding",
    "map_name": "what its map is",
    "map_source": "where its map comes from",
    "layers": "blocks whose class-token row can be captured",
    "heads": "heads of the map",
    "digest": "SHA-256 of the weights",
    "config": "SHA-256 of its configuration",
    "preprocessing": "pre-processing",
    "precision": "precision",
    "device": "device",
}

_COUNTS = {
    "images": "inputs",
    "failed": "inputs that could not be used",
    "repeated": "pictures equal to an earlier one, counted once",
    "views": "views",
    "views_failed": "views without an embedding",
    "undefined": "values that are undefined",
    "views_kept": "pictures of views kept",
    "views_changed": "views not kept, since their file has changed",
}

Section = dict[str, Any]


def methods(run: RunTables, facts: Facts) -> list[Section]:
    """Sections of labelled lines."""
    info = run.info
    plan = info["plan"]
    return [
        _section("Run", _run_lines(run)),
        _section("Plan", _all_of(_less(plan, "transforms", "metrics"), _PLAN)),
        _section("Counts", _all_of(info.get("counts", {}), _COUNTS)),
        _section("Encoder", _all_of(info["encoder"], _ENCODER)),
        *(
            _section(f"Transform {at}: {visible(one['name'])}", _transform_lines(one, info))
            for at, one in enumerate(plan["transforms"], start=1)
        ),
        _section("Statistics", _statistics_lines(facts)),
        _section("Versions", _all_of(info.get("versions", {}), {})),
        _section("Machine", _all_of(info.get("machine", {}), {})),
        _section("Inputs that could not be used (the first 100)", _failure_lines(info)),
    ]


def _less(content: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return {name: value for name, value in content.items() if name not in names}


def _section(title: str, lines: Iterator[tuple[str, str]]) -> Section:
    return {"title": title, "lines": [[visible(label), visible(text)] for label, text in lines]}


def _told(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _picked(content: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Lines of a part of run.json; what is empty is left out, what is false or 0 is not."""
    for name, label in labels.items():
        if content.get(name, "") not in ("", None):
            yield label, _told(content[name])


def _all_of(content: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Labelled lines first, then whatever else is recorded, under its own name."""
    yield from _picked(content, labels)
    yield from _picked(content, {name: name.replace("_", " ") for name in content if name not in labels})


def _run_lines(run: RunTables) -> Iterator[tuple[str, str]]:
    yield "folder", run.folder.resolve().name
    yield from _picked(
        run.info,
        {"state": "state", "started": "started", "finished": "finished", "fingerprint": "fingerprint"},
    )


def _transform_lines(plan: Mapping[str, Any], info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "target" in plan:
        yield "what it is", f"{plan.get('kind', '')}: {plan['target']}".removeprefix(": ")
    for name, value in plan.get("parameters", {}).items():
        yield name, _told(value)
    yield from _picked(plan, {"severity": "severity, 1 to 5", "strength": _strength_label(plan, info)})
    digest = info.get("code", {}).get(plan["name"])
    if digest:
        yield "SHA-256 of its code", digest


def _strength_label(plan: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    """What the strength is, and its unit, as the run records them."""
    stated = info.get("strengths", {}).get(plan.get("target"), {})
    told = ", ".join(str(stated[part]) for part in ("meaning", "unit") if stated.get(part))
    return f"strength ({told})" if told else "strength"


def _statistics_lines(facts: Facts) -> Iterator[tuple[str, str]]:
    found = facts.statistics
    yield "unit", "the image: draws are averaged first, and equal pictures count once"
    yield "intervals of means", f"paired bootstrap over images, BCa, {percent(found.level)} each"
    yield "resamples, seed", f"{found.resamples:,}, {found.seed}"
    yield (
        "order",
        "simultaneous rank intervals (Mogstad, Romano, Shaikh & Wilhelm 2024),"
        f" {percent(found.level)} jointly",
    )
    yield (
        "overall score",
        "mean of the performance metrics' means; n is that of the metric with the fewest images",
    )


def _failure_lines(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for one in info.get("failures", []):
        yield f"{one.get('member', '')}", f"{one.get('status', '')}: {one.get('error', '')}"


def commands(run: RunTables) -> list[str]:
    """The commands that make the run and its report again; none where the folder holds no plan."""
    if not (run.folder / "plan.toml").is_file():
        return []
    plan = shlex.quote(f"{run.folder.resolve().name}/plan.toml")
    return [visible(line) for line in (f"embshift run --plan {plan} --out again", "embshift report again")]


def citation() -> dict[str, str]:
    """How to cite the paper and the tool."""
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
