"""Tables of all that is registered: metrics, transforms, presets, encoders, figures; and of measures."""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from docs.refresh.docstrings import example, sections
from docs.refresh.markup import code, codes, number, table
from embshift.analysis.embeddings.catalogue import MEASURES
from embshift.analysis.embeddings.clusters import DISTANCES, LINKAGES
from embshift.core.types import Capture
from embshift.encoders import ENCODERS
from embshift.metrics import METRICS, Metric
from embshift.show.figures import FIGURES
from embshift.show.handover import EXPORTERS
from embshift.transforms import TRANSFORMS, Strength
from embshift.transforms.fast import FAST
from embshift.transforms.gpu import DEVICE
from embshift.transforms.presets import list_preset_names, load_preset

__all__ = [
    "clusters",
    "device_forms",
    "encoders",
    "exporters",
    "fast_forms",
    "figures",
    "measures",
    "metrics_sections",
    "metrics_table",
    "paper_parameters",
    "presets",
    "transforms",
]

NEEDS = {
    Capture.PIXELS: "the resized pixels",
    Capture.EMBEDDING: "the embedding",
    Capture.ATTENTION: "the attention map",
    Capture.LAYERS: "the attention row of every block",
    Capture.COORDINATES: "the resized pixels, and the coordinate map of the view",
    Capture.ATTENTION | Capture.COORDINATES: "the attention map, and the coordinate map of the view",
}
CLOSENESS = {
    "bytes": "the same bytes",
    "rounding": "the same up to rounding",
    "distribution": "other pixels of the same distribution",
}


def span(low: float, high: float) -> str:
    return f"{number(low)}\u00a0to\u00a0{number(high)}"


# metrics and measures -------------------------------------------------------------------------------------


def metrics_table() -> str:
    header = ("metric", "what it compares", "range", "identity", "direction", "performance metric")
    return table(header, [metric_row(name, metric) for name, metric in METRICS.items()])


def metric_row(name: str, metric: Metric) -> Sequence[object]:
    spec = metric.spec
    performance = "yes" if spec.performance else "no"
    return code(name), spec.summary, span(*spec.bounds), number(spec.identity), spec.direction, performance


def metrics_sections() -> str:
    return "\n".join(metric_section(name, metric) for name, metric in METRICS.items())


def metric_section(name: str, metric: Metric) -> str:
    spec = metric.spec
    low, high = (number(bound) for bound in spec.bounds)
    facts = [
        ("compares", spec.summary),
        ("unit", "a pure number" if spec.unit == "1" else spec.unit),
        ("bounds", f"{low} to {high}"),
        ("at identity", number(spec.identity)),
        ("direction", spec.direction),
        ("needs", NEEDS[spec.needs]),
        ("blind to", spec.blind_to),
        ("counts in the overall score", "yes" if spec.performance else "no"),
        ("source", spec.reference),
    ]
    parts = sections(metric.compute)
    body = [f"### {name}\n", table(("", ""), facts), parts["body"] + "\n"]
    if "Returns:" in parts:
        body.append("**Returns.** " + " ".join(parts["Returns:"].split()) + "\n")
    if "Example:" in parts:
        body.append(example(parts["Example:"]) + "\n")
    return "\n".join(body)


def clusters() -> str:
    return f"Distances: {codes(DISTANCES)}.\n\nLinkages: {codes(LINKAGES)}.\n"


def measures() -> str:
    header = ("measure", "what it is", "range", "identity", "blind to", "source")
    return "\n".join(
        f"**`--show {name}`**\n\n" + table(header, [measure_row(one) for one in found])
        for name, found in MEASURES.items()
    )


def measure_row(one: Any) -> Sequence[object]:
    unit = "" if one.unit == "1" else f" {one.unit}"
    identity = "undefined" if one.identity != one.identity else number(one.identity)
    closer = "" if one.direction is None else f"; {one.direction}"
    return (
        code(one.name),
        f"{one.summary}{closer}",
        f"{span(*one.bounds)}{unit}",
        identity,
        one.blind_to,
        one.reference,
    )


# transforms -----------------------------------------------------------------------------------------------


def presets() -> str:
    rows = [
        (code(preset.name), preset.summary, codes(plan.name for plan in preset.transforms))
        for preset in map(load_preset, list_preset_names())
    ]
    return table(("preset", "what it is for", "transforms"), rows)


def transforms() -> str:
    rows = [
        (code(name), spec.family, spec.summary, *strength_cells(spec.strength))
        for name, spec in TRANSFORMS.items()
    ]
    header = ("transform", "family", "what it does", "strength", "severities 1 to 5", "no effect at", "paper")
    return table(header, rows)


def strength_cells(strength: Strength | None) -> Sequence[str]:
    if strength is None:
        return ("–", "–", "–", "–")
    unit = "" if strength.unit == "1" else f", in {strength.unit}"
    limits = f"{strength.least:g} to {strength.greatest:g}"
    ends = ["–" if each is None else f"{each:g}" for each in (strength.zero, strength.paper)]
    levels = " · ".join(f"{each:g}" for each in strength.severities)
    return (f"{strength.meaning}{unit}; {limits}", levels, *ends)


def paper_parameters() -> str:
    origins = preset_origins("paper")
    return "\n".join(
        f"**`{plan.name}`**: albumentations `{plan.target}`\n\n"
        + table(
            ("parameter", "value", "where it comes from"),
            [
                (code(name), code(value), origins[plan.name].get(name, "given" if name == "p" else ""))
                for name, value in plan.parameters.items()
            ],
        )
        for plan in load_preset("paper").transforms
    )


def preset_origins(name: str) -> dict[str, dict[str, str]]:
    """Return the comments behind a preset's parameters, by transform and parameter."""
    text = (files("embshift.transforms.presets") / f"{name}.toml").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = {}
    transform = parameter = ""
    for line in text.splitlines():
        if named := re.fullmatch(r'name = "(\w+)"', line):
            transform, parameter = named[1], ""
            found[transform] = {}
        elif given := re.fullmatch(r"(\w+) = [^#]+?\s+# (.+)", line):
            parameter = given[1]
            found[transform][parameter] = given[2]
        elif parameter and found[transform][parameter].endswith(",") and line.startswith("# "):
            found[transform][parameter] += line.removeprefix("#")
    return found


def fast_forms() -> str:
    return forms(FAST, "a fast view and the reference view have")


def device_forms() -> str:
    return forms(DEVICE, "a view made on the device and the reference view have")


def forms(found: Mapping[str, Any], closeness: str) -> str:
    rows = [(code(name), CLOSENESS[form.closeness]) for name, form in found.items()]
    return table(("class of albumentations", closeness), rows)


# encoders, figures and exporters --------------------------------------------------------------------------


def encoders() -> str:
    header = ("encoder", "what it is", "embedding", "map", "`model_type` in `config.json`")
    rows = [
        (
            code(name),
            entry.summary,
            entry.embedding,
            entry.map_source,
            codes(entry.model_types) or f"chosen by `--encoder {entry.written or name}`",
        )
        for name, entry in ENCODERS.items()
    ]
    return table(header, rows)


def figures() -> str:
    header = ("figure", "question", "what is drawn", "more shift", "follows", "needs")
    rows = [
        (code(name), entry.question, entry.shows, entry.more_shift or "–", entry.source, entry.needs or "–")
        for name, entry in FIGURES.items()
    ]
    return table(header, rows)


def exporters() -> str:
    rows = [(code(name), entry.summary, code(entry.opened)) for name, entry in EXPORTERS.items()]
    return table(("exporter", "what it writes", "opened by"), rows)
