"""Reference pages from the package itself: registries, schema, plan, parser. Sphinx runs it before it reads.

Nothing here needs Sphinx but `setup`, so that tests can look at the same text.
"""

import argparse
import inspect
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import embshift
from embshift.core import errors
from embshift.analysis.embeddings.catalogue import MEASURES
from embshift.analysis.embeddings.clusters import DISTANCES, LINKAGES
from embshift.cli.parser import build_parser
from embshift.core.types import Capture
from embshift.encoders import ENCODERS
from embshift.measurement.plan.plan import COUNTED, Plan
from embshift.measurement.session.provenance import versions
from embshift.metrics import METRICS, Metric
from embshift.runs.schema import EMBEDDING, SCHEMA_VERSION, TABLES, Table
from embshift.show.figures import FIGURES
from embshift.transforms import TRANSFORMS, Strength
from embshift.transforms.fast import FAST
from embshift.transforms.gpu import DEVICE
from embshift.transforms.presets import load_preset, preset_names

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
sys.path.insert(0, str(ROOT))  # the benchmark is no part of the installed package

from benchmarks.report import table as benchmark_table  # noqa: E402

__all__ = ["PAGES", "write_pages"]

NEEDS = {
    Capture.PIXELS: "the resized pixels",
    Capture.EMBEDDING: "the embedding",
    Capture.ATTENTION: "the attention map",
    Capture.LAYERS: "the attention row of every block",
    Capture.COORDINATES: "the resized pixels, and where those of a view come from",
    Capture.ATTENTION | Capture.COORDINATES: "the attention map, and where a view's pixels come from",
}
SECTIONS = ("Args:", "Returns:", "Raises:", "Example:", "References:", "Yields:", "Attributes:")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell(value) for value in line)} |" for line in lines) + "\n"


def cell(value: object) -> str:
    text = str(value).replace("|", "\\|").replace("\n", " ")
    # Outside backticks "<time>" would be taken for HTML, and vanish.
    return re.sub(r"`[^`]*`|<", lambda found: "&lt;" if found[0] == "<" else found[0], text)


def code(value: object) -> str:
    return f"`{value}`"


def codes(values: Iterable[object]) -> str:
    return ", ".join(code(value) for value in values)


def number(value: float) -> str:
    return f"{value:g}".replace("inf", "∞").replace("-", "−")


# metrics --------------------------------------------------------------------------------------------------


def metrics_table() -> str:
    header = ("metric", "what it compares", "range", "identity", "direction", "performance metric")
    return table(header, [metric_row(name, metric) for name, metric in METRICS.items()])


def metric_row(name: str, metric: Metric) -> Sequence[object]:
    spec = metric.spec
    low, high = (number(bound) for bound in spec.bounds)
    performance = "yes" if spec.performance else "no"
    return (
        code(name),
        spec.summary,
        f"{low}\u00a0to\u00a0{high}",
        number(spec.identity),
        spec.direction,
        performance,
    )


def metrics_sections() -> str:
    return "\n".join(metric_section(name, metric) for name, metric in METRICS.items())


def metric_section(name: str, metric: Metric) -> str:
    spec = metric.spec
    low, high = (number(bound) for bound in spec.bounds)
    unit = "a pure number" if spec.unit == "1" else spec.unit
    facts = [
        ("compares", spec.summary),
        ("unit", unit),
        ("bounds", f"{low} to {high}"),
        ("at identity", number(spec.identity)),
        ("direction", spec.direction),
        ("needs", NEEDS[spec.needs]),
        ("blind to", spec.blind_to),
        ("counts in the overall score", "yes" if spec.performance else "no"),
        ("source", spec.reference),
    ]
    sections = docstring_sections(metric.compute)
    body = [f"### {name}\n", table(("", ""), facts), sections["body"] + "\n"]
    if "Returns:" in sections:
        body.append("**Returns.** " + " ".join(sections["Returns:"].split()) + "\n")
    if "Example:" in sections:
        body.append(f"```pycon\n{sections['Example:']}\n```\n")
    return "\n".join(body)


def docstring_sections(function: Callable[..., Any]) -> dict[str, str]:
    """A Google-style docstring as its text ("body") and its sections, each without its indentation."""
    found: dict[str, list[str]] = {"body": []}
    current = "body"
    for line in (inspect.getdoc(function) or "").splitlines():
        if line in SECTIONS:
            current = line
            found[current] = []
        else:
            found[current].append(line)
    return {name: inspect.cleandoc("\n".join(lines)) for name, lines in found.items()}


# transforms -----------------------------------------------------------------------------------------------


def presets_table() -> str:
    rows = [
        (code(preset.name), preset.summary, codes(plan.name for plan in preset.transforms))
        for preset in map(load_preset, preset_names())
    ]
    return table(("preset", "what it is for", "transforms"), rows)


def registered_table() -> str:
    rows = [
        (code(name), spec.family, spec.summary, *strength_cells(spec.strength))
        for name, spec in TRANSFORMS.items()
    ]
    header = ("transform", "family", "what it does", "strength", "severities 1 to 5", "leaves it", "paper")
    return table(header, rows)


def strength_cells(strength: Strength | None) -> Sequence[str]:
    if strength is None:
        return ("–", "–", "–", "–")
    unit = "" if strength.unit == "1" else f", in {strength.unit}"
    span = f"{strength.least:g} to {strength.greatest:g}"
    ends = ["–" if each is None else f"{each:g}" for each in (strength.zero, strength.paper)]
    levels = " · ".join(f"{each:g}" for each in strength.severities)
    return (f"{strength.meaning}{unit}; {span}", levels, *ends)


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
    """The comments behind a preset's parameters, by transform and parameter."""
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


# encoders -------------------------------------------------------------------------------------------------


def encoders_table() -> str:
    header = ("encoder", "what it is", "embedding", "map", "`model_type` in `config.json`")
    rows = [
        (
            code(name),
            entry.summary,
            entry.embedding,
            entry.map_source,
            codes(entry.model_types) or f"chosen by `--encoder {name}`",
        )
        for name, entry in ENCODERS.items()
    ]
    return table(header, rows)


# run folder -----------------------------------------------------------------------------------------------


def schema_tables() -> str:
    parts = [f"This is schema version {SCHEMA_VERSION}.\n"]
    parts += [f"### {one.name}\n\n{sentence(one.summary)}\n\n{columns(one)}" for one in TABLES.values()]
    return "\n".join(parts)


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def columns(one: Table) -> str:
    rows = [(code(column.name), code(arrow_type(column.type)), column.meaning) for column in one.columns]
    return table(("column", "type", "meaning"), rows)


def arrow_type(kind: Any) -> str:
    if kind == EMBEDDING:
        return "fixed_size_list<float>[dim]"
    return re.sub(r"<\w+: ", "<", str(kind))


def plan_table(*, counted: bool) -> str:
    meanings = attributes(Plan)
    options = run_options()
    chosen = [field for field in fields(Plan) if (field.name in COUNTED) == counted]
    rows = [(code(f.name), options.get(f.name, "–"), default(f), meanings[f.name]) for f in chosen]
    return table(("field", "option", "default", "meaning"), rows)


def default(field: Field[Any]) -> str:
    value = field.default
    if value is MISSING or value is None:
        return "chosen at the start" if field.name in ("batch", "threads", "workers") else "none"
    if field.name in ("sources", "transforms"):
        return "the preset's" if field.name == "transforms" else "none"
    return codes(value) if isinstance(value, tuple) else code(value)


def attributes(thing: Any) -> dict[str, str]:
    """What the section "Attributes" of a docstring says, by name."""
    found: dict[str, str] = {}
    name = ""
    for line in docstring_sections(thing)["Attributes:"].splitlines():
        if begun := re.match(r"(\w+): (.+)", line):
            name = begun[1]
            found[name] = begun[2]
        elif line.strip():
            found[name] += " " + line.strip()
    return found


def counted_fields() -> str:
    return plan_table(counted=True)


def free_fields() -> str:
    return plan_table(counted=False)


def version_names() -> str:
    return "Versions that must be the same: " + codes(versions()) + ".\n"


def error_tree() -> str:
    tree = (errors.__doc__ or "").split("\n\n")[1]
    return f"```text\n{tree}\n```\n"


# command line ---------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Each command's name, its one line in the help, and its parser."""
    group = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    summaries = {action.dest: action.help or "" for action in group._choices_actions}
    for name, parser in group.choices.items():
        yield name, summaries[name], parser


def command_pages() -> str:
    main = [a for a in build_parser()._actions if a.option_strings]
    parts = [table(("option", "meaning"), [(option_name(a), a.help) for a in main])]
    parts += [command_page(name, summary, parser) for name, summary, parser in commands()]
    return "\n".join(parts)


def command_page(name: str, summary: str, parser: argparse.ArgumentParser) -> str:
    parts = [f"## embshift {name}\n", sentence(parser.description or summary) + "\n"]
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if "--help" not in a.option_strings]
        if actions:
            title = (group.title or "").replace("positional arguments", "arguments")
            rows = [(option_name(a), option_help(a)) for a in actions]
            parts.append(f"**{title[:1].upper()}{title[1:]}**\n\n" + table(("", "meaning"), rows))
    return "\n".join(parts)


def option_name(action: argparse.Action) -> str:
    if action.option_strings:
        value = f" {action.metavar or choices(action)}" if action.nargs != 0 else ""
        return ", ".join(code(f"{option}{value}") for option in action.option_strings)
    dots = " …" if action.nargs == "*" else ""
    return code(f"{action.metavar or choices(action)}{dots}")


def choices(action: argparse.Action) -> str:
    return "|".join(action.choices) if action.choices else action.dest.upper()


def option_help(action: argparse.Action) -> str:
    text = (action.help or "one of these").replace("%(default)s", str(action.default))
    return text.strip("()") if text.startswith("(") else text


def run_options() -> dict[str, str]:
    """The option of ``embshift run`` for each field of the plan that has one."""
    parser = next(parser for name, _, parser in commands() if name == "run")
    known = {action.dest: action.option_strings for action in parser._actions if action.option_strings}
    found = {name: code(strings[-1]) for name, strings in known.items()}
    return found | {"transforms": found["transform"], "metrics": found["metric"], "sources": code("SOURCE")}


# python ---------------------------------------------------------------------------------------------------

DATA = {"__version__": "The version, as text."}
READ = {
    "embshift.show.run": ["Embeddings"],
    "embshift.analysis.shifts.table": ["Summary", "SummaryRow", "Cell"],
    "embshift.runs.values": ["ImageValues"],
    "embshift.analysis.embeddings.clusters": ["Clusters"],
    "embshift.analysis.shifts.statistics": ["Statistics"],
    "embshift.analysis.sampling.bootstrap": ["Intervals"],
    "embshift.analysis.shifts.ranks": ["Ranks", "RankInterval"],
    "embshift.analysis.shifts.separation": ["Separation"],
    "embshift.analysis.embeddings.measures": ["Measured"],
    "embshift.core.types": ["Measure"],
    "embshift.analysis.embeddings.direction": ["Removal", "removals"],
    "embshift.analysis.embeddings.floors": ["Floor", "floor"],
    "embshift.analysis.embeddings.pairs": ["Pairs", "DrawViews"],
    "embshift.analysis.shifts.paired_tests": ["PairedTests", "PairedTest"],
    "embshift.analysis.shifts.sizes": ["Stability", "images_needed"],
    "embshift.analysis.strength.sweep": ["Sweep", "Curve"],
    "embshift.analysis.strength.matched": ["Matched", "MatchedGroup", "MatchedRow", "Solved"],
}
WRITE = {
    "embshift.transforms": ["transform", "TransformSpec", "Strength"],
    "embshift.measurement.studies.sweep": ["measure_sweep"],
    "embshift.measurement.studies.match": ["measure_matched", "solve"],
    "embshift.core.pixel_maps": ["carry", "grid", "mean_displacement"],
    "embshift.transforms.plan": ["TransformPlan"],
    "embshift.metrics": ["pixel_metric", "aligned_metric", "pair_metric"],
    "embshift.encoders": ["encoder", "EncoderEntry"],
    "embshift.core.encoding": ["Encoding"],
    "embshift.show.figures": ["figure", "FigureEntry", "Drawing"],
    "embshift.show.figures.material": ["Material", "Picture", "EncoderMap"],
    "embshift.show.figures.layout.sheets": ["Frame", "Sheet", "open_sheet"],
    "embshift.core.types": ["MetricSpec", "EncoderSpec", "View", "ViewKey", "Capture", "Direction", "Field"],
}


def public_names() -> str:
    return "\n".join(public_name(name) for name in embshift.__all__)


def public_name(name: str) -> str:
    if name in DATA:
        return f"### `{name}`\n\n`embshift.{name}`: {DATA[name]}\n"
    return f"### {name}\n\n{autodoc('embshift', name)}"


def result_names() -> str:
    return named_members(READ)


def extension_names() -> str:
    return named_members(WRITE)


def named_members(members: Mapping[str, Sequence[str]]) -> str:
    return "\n".join(autodoc(module, name) for module, names in members.items() for name in names)


def autodoc(module: str, name: str) -> str:
    thing = getattr(__import__(module, fromlist=[name]), name)
    lines = [f".. autofunction:: {module}.{name}"]
    if isinstance(thing, type):
        # A plan's defaults stand in the tables of the run folder, with their meanings.
        lines = [f".. autoclass:: {module}.{name}{'(**fields)' if thing is Plan else ''}"]
        if has_methods(thing):
            lines.append("   :members:")
        if any(base.__module__.startswith("embshift.") for base in thing.__mro__[1:]) and name == "Run":
            lines.append("   :inherited-members:")
    return "```{eval-rst}\n" + "\n".join(lines) + "\n```\n"


def has_methods(thing: type) -> bool:
    """Whether there is more to tell than the docstring of the class does."""
    kinds = (property, type(lambda: None), classmethod, staticmethod)
    own = (value for name, value in vars(thing).items() if not name.startswith("_"))
    return not issubclass(thing, Exception) and any(isinstance(value, kinds) for value in own)


def names_of_clusters() -> str:
    return f"Distances: {codes(DISTANCES)}.\n\nLinkages: {codes(LINKAGES)}.\n"


def figures_table() -> str:
    header = ("figure", "question", "what is drawn", "follows", "needs")
    rows = [
        (code(name), entry.question, entry.shows, entry.source, entry.needs or "–")
        for name, entry in FIGURES.items()
    ]
    return table(header, rows)


def measurements_tables() -> str:
    header = ("measure", "what it is", "range", "identity", "blind to", "source")
    parts = [
        f"**`--show {name}`**\n\n" + table(header, [measure_row(one) for one in measures])
        for name, measures in MEASURES.items()
    ]
    return "\n".join(parts)


def measure_row(one: Any) -> Sequence[object]:
    low, high = (number(bound) for bound in one.bounds)
    unit = "" if one.unit == "1" else f" {one.unit}"
    identity = "undefined" if one.identity != one.identity else number(one.identity)
    closer = "" if one.direction is None else f"; {one.direction}"
    summary = f"{one.summary}{closer}"
    return code(one.name), summary, f"{low}\u00a0to\u00a0{high}{unit}", identity, one.blind_to, one.reference


CLOSENESS = {
    "bytes": "the same bytes",
    "rounding": "the same up to rounding",
    "distribution": "other pixels of the same distribution",
}


def fast_forms_table() -> str:
    """Classes that have a fast form, and how close it comes."""
    rows = [(code(name), CLOSENESS[form.closeness]) for name, form in FAST.items()]
    return table(("class of albumentations", "a fast view and the reference view are"), rows)


def device_forms_table() -> str:
    """Classes that have a device form, and how close it comes."""
    rows = [(code(name), CLOSENESS[form.closeness]) for name, form in DEVICE.items()]
    return table(("class of albumentations", "a view made on the device and the reference view are"), rows)


def performance_tables() -> str:
    """The newest whole result of the benchmark, and the newest of a GPU, as they print themselves."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    whole = [result for result in found if not (result["settings"]["quick"] or result["settings"]["only"])]
    on_gpu = [result for result in found if result["settings"]["only"] == ["gpu"]]
    tables = [benchmark_table(each[-1]) for each in (whole, on_gpu) if each]
    return "\n\n".join(tables or ["Not measured yet: `make bench`."]) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "measurements": measurements_tables,
    "metrics_table": metrics_table,
    "metrics_sections": metrics_sections,
    "clusters": names_of_clusters,
    "presets": presets_table,
    "registered": registered_table,
    "paper_parameters": paper_parameters,
    "fast_forms": fast_forms_table,
    "device_forms": device_forms_table,
    "performance": performance_tables,
    "encoders": encoders_table,
    "figures": figures_table,
    "schema": schema_tables,
    "counted": counted_fields,
    "free": free_fields,
    "versions": version_names,
    "errors": error_tree,
    "commands": command_pages,
    "public": public_names,
    "results": result_names,
    "extensions": extension_names,
}
"""Every generated page, by the name of its file."""


def write_pages(folder: Path) -> None:
    """Write all pages anew; what no page writes any more is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, page in PAGES.items():
        (folder / f"{name}.md").write_text(page(), encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "reference"))
    return {"parallel_read_safe": True}
