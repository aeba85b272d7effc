"""The Python reference: signatures and docstrings of everything that a user or an addition calls."""

import enum
import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import embshift
from docs.refresh.docstrings import to_markdown
from embshift.core import errors
from embshift.measurement.plan.plan import Plan

__all__ = ["error_tree", "extension_names", "public_names", "result_names"]

READ: Mapping[str, Sequence[str]] = {
    "embshift.runs.tables": ["Embeddings"],
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
    "embshift.analysis.gate.record": ["CheckRecord", "Checked"],
    "embshift.analysis.strength.sweep": ["Sweep", "Curve"],
    "embshift.analysis.strength.matched": ["Matched", "MatchedGroup", "MatchedRow", "Solved"],
}
"""What a run returns, by the module that it is written in."""

WRITE: Mapping[str, Sequence[str]] = {
    "embshift.transforms": ["transform", "TransformSpec", "Strength"],
    "embshift.measurement.studies.sweep": ["measure_sweep"],
    "embshift.measurement.studies.match": ["measure_matched", "solve"],
    "embshift.core.pixel_maps": ["carry", "grid", "mean_displacement"],
    "embshift.transforms.plan": ["TransformPlan"],
    "embshift.metrics": ["pixel_metric", "aligned_metric", "pair_metric"],
    "embshift.encoders": ["encoder", "EncoderEntry"],
    "embshift.core.encoding": ["Encoding"],
    "embshift.show.figures": ["figure", "FigureEntry", "Page"],
    "embshift.show.figures.material": ["Material", "KeptImage", "EncoderMap"],
    "embshift.show.figures.layout.sheets": ["Frame", "Sheet", "open_sheet"],
    "embshift.core.types": ["MetricSpec", "EncoderSpec", "View", "ViewKey", "Capture", "Direction", "Field"],
}
"""What an addition uses, likewise."""


def public_names() -> str:
    return "\n".join(public_name(name) for name in embshift.__all__)


def public_name(name: str) -> str:
    thing = getattr(embshift, name)
    if isinstance(thing, str):
        return f"### {name}\n\n`embshift.{name}`: the version, as a string.\n"
    return f"### {name}\n\n{described(f'embshift.{name}', thing)}"


def result_names() -> str:
    return named(READ, built=False)


def extension_names() -> str:
    return named(WRITE, built=True)


def named(members: Mapping[str, Sequence[str]], *, built: bool) -> str:
    found = [(module, name) for module, names in members.items() for name in names]
    return "\n".join(
        f"### {name}\n\n"
        + described(f"{module}.{name}", getattr(importlib.import_module(module), name), built=built)
        for module, name in found
    )


def described(address: str, thing: Any, *, built: bool = True) -> str:
    """Return a signature, a docstring and, of a class, its documented members.

    Args:
        address: Dotted name.
        thing: The function or class.
        built: Whether a user calls the class; otherwise its signature only repeats its attributes.
    """
    if not isinstance(thing, type):
        return f"{call(address, thing)}\n{to_markdown(thing)}"
    if issubclass(thing, enum.Enum):
        values = ", ".join(f"`{value}`" for value in thing.__members__)
        return f"`class {address}`: {to_markdown(thing)}\nMembers: {values}.\n"
    if issubclass(thing, Exception):
        return f"`class {address}`\n\n{to_markdown(thing)}"
    return f"{class_head(address, thing, built=built)}\n{to_markdown(thing)}" + "".join(
        f"\n#### {thing.__name__}.{name}\n\n{member(f'{thing.__name__}.{name}', value)}"
        for name, value in members(thing)
    )


def class_head(address: str, thing: type, *, built: bool) -> str:
    if thing is Plan:  # its fields and their defaults are in the tables of the run folder
        return f"```text\n{address}(**fields)\n```\n"
    return call(address, thing) if built and thing is not embshift.Run else f"`class {address}`\n"


def members(thing: type) -> Iterator[tuple[str, Any]]:
    """Yield the documented methods and properties of a class, its own before those it inherits."""
    seen = set[str]()
    for owner in thing.__mro__:
        if owner.__module__.startswith("embshift."):
            for name, value in vars(owner).items():
                if not name.startswith("_") and name not in seen and is_documented(value):
                    seen.add(name)
                    yield name, value


def is_documented(value: Any) -> bool:
    kinds = (property, classmethod, staticmethod)
    return (inspect.isfunction(value) or isinstance(value, kinds)) and bool(inspect.getdoc(value))


def member(address: str, value: Any) -> str:
    if isinstance(value, property):
        return f"Property. {to_markdown(value)}"
    function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
    return f"{call(address, function, bound=not isinstance(value, staticmethod))}\n{to_markdown(function)}"


def call(address: str, function: Any, *, bound: bool = False) -> str:
    """Return names and defaults of the arguments, one line or one argument a line."""
    found = list(inspect.signature(function).parameters.values())[1 if bound else 0 :]
    words = arguments(found)
    line = f"{address}({', '.join(words)})"
    if len(line) > 100:
        line = f"{address}(\n" + "".join(f"    {word},\n" for word in words) + ")"
    return f"```text\n{line}\n```\n"


def arguments(found: Sequence[inspect.Parameter]) -> list[str]:
    words: list[str] = []
    for before, parameter in zip([None, *found], found, strict=False):
        if before and before.kind is before.POSITIONAL_ONLY and parameter.kind is not before.kind:
            words.append("/")
        if parameter.kind is parameter.KEYWORD_ONLY and (
            before is None or before.kind not in (before.KEYWORD_ONLY, before.VAR_POSITIONAL)
        ):
            words.append("*")
        words.append(argument(parameter))
    if found and found[-1].kind is inspect.Parameter.POSITIONAL_ONLY:
        words.append("/")
    return words


def argument(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    if parameter.default is parameter.empty:
        return f"{stars}{parameter.name}"
    shown = repr(parameter.default)
    # "<factory>" and "<function … at 0x…>" say nothing, and the second differs from process to process.
    return f"{parameter.name}={'…' if shown.startswith('<') else shown}"


def error_tree() -> str:
    tree = (errors.__doc__ or "").split("\n\n")[1]
    return f"```text\n{tree}\n```\n"
