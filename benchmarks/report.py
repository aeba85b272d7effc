"""Results as JSON, and JSON as a table. Imports only the standard library: the documentation uses it."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.goals import judge_goals

__all__ = ["format_machine", "format_table", "make_results"]


def make_results(
    found: Sequence[Any], *, settings: Mapping[str, Any], machine: Mapping[str, Any], loads: Sequence[Any]
) -> dict[str, Any]:
    """Return everything that was measured, ready for JSON.

    Args:
        found: The figures.
        settings: The options.
        machine: Description of the machine.
        loads: Mean number of waiting processes before and after; on a busy machine, figures are indications.
    """
    figures = [_round_figure(asdict(figure)) for figure in found]
    return {
        "settings": dict(settings),
        "machine": dict(machine),
        "load": list(loads),
        "goals": judge_goals(figures),
        "figures": figures,
    }


def format_table(results: Mapping[str, Any]) -> str:
    """Return the goals and the figures as Markdown."""
    lines = ["| goal | wanted | measured | | every repetition |", "|---|---|---|---|---|"]
    some = bool(results["settings"].get("only"))
    lines += [_format_goal(goal) for goal in results["goals"] if goal["measured"] is not None or not some]
    lines += [
        "",
        "| stage | way | median | unit | times plain | every repetition |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_format_figure(each) for each in results["figures"]]
    notes = [
        f"- {each['stage']}, {each['way']}: {each['note']}." for each in results["figures"] if each["note"]
    ]
    return "\n".join([*lines, "", *notes, *([""] if notes else []), format_machine(results)])


def _format_goal(goal: Mapping[str, Any]) -> str:
    sign, unit = "≥" if goal["at_least"] else "<", goal["unit"]
    verdict = {True: "met", False: "missed", None: "not measured"}[goal["met"]]
    measured = "" if goal["measured"] is None else f"{goal['measured']:.3g}{unit}"
    every = ", ".join(f"{value:.3g}" for value in goal["repetitions"])
    return f"| {goal['text']} | {sign} {goal['wanted']:g}{unit} | {measured} | {verdict} | {every} |"


def _format_figure(figure: Mapping[str, Any]) -> str:
    ratio = f"{statistics.median(figure['ratios']):.2f}" if figure["ratios"] else ""
    numbers = [value for value in figure["values"] if value is not None]
    every = ", ".join(f"{value:.4g}" for value in numbers)
    middle = f"{statistics.median(numbers):.4g}" if numbers else ""
    return f"| {figure['stage']} | {figure['way']} | {middle} | {figure['unit']} | {ratio} | {every} |"


def format_machine(results: Mapping[str, Any]) -> str:
    """Return a description of the machine in one sentence."""
    machine = results["machine"]
    memory = f", {machine['memory_bytes'] / 2**30:.0f} GiB" if machine["memory_bytes"] else ""
    flags = ", ".join(machine["flags"]) or "no vector extensions named"
    amx = "with" if any(flag.startswith("amx") for flag in machine["flags"]) else "without"
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    load = " and ".join(str(each) for each in results["load"])
    return (
        f"{machine['processor']}, {machine['cores']} cores {machine['architecture']} {amx} AMX ({flags})"
        f"{memory}, {machine['system']}, Python {machine['python']}, {machine['torch_threads']} threads, GPU:"
        f" {machine['gpu'] or 'none'}; {versions}. Load before and after: {load}."
    )


def _round_figure(figure: dict[str, Any]) -> dict[str, Any]:
    """Return the figure with numbers that JSON can hold, rounded to six decimals, or four digits if small."""
    return figure | {name: [_round_number(value) for value in figure[name]] for name in ("values", "ratios")}


def _round_number(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    return round(value, 6) if abs(value) >= 1e-2 else float(f"{value:.4g}")
