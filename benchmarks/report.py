"""Results as JSON, and JSON as a table; of the standard library alone, for the documentation uses it."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

__all__ = ["content", "goals", "machine_line", "table"]

GOALS: Sequence[tuple[str, str, str, float]] = (
    ("end to end", "full, reference", "end to end, float32, against the plain procedure", 4.5),
    ("nine views", "fast", "fast views against albumentations", 2.5),
    ("pixel metrics", "batched", "pixel metrics against plain loops", 12.0),
)
"""Stage, way, what is said, and the least ratio that is aimed at."""


def content(
    found: Sequence[Any], *, settings: Mapping[str, Any], machine: Mapping[str, Any], loads: Sequence[Any]
) -> dict[str, Any]:
    """Everything that was found, ready for JSON.

    Args:
        found: Figures.
        settings: What was asked for.
        machine: What it was taken on.
        loads: Waiting processes before and after: figures of a busy machine are indications.
    """
    figures = [_rounded(asdict(figure)) for figure in found]
    return {
        "settings": dict(settings),
        "machine": dict(machine),
        "load": list(loads),
        "figures": figures,
        "goals": goals(figures),
    }


def goals(figures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each goal that was measured: its ratios, its median and whether that reaches the goal."""
    by_way = {(each["stage"], each["way"]): each for each in figures}
    found = [
        _goal(text, by_way[stage, way]["ratios"], least)
        for stage, way, text, least in GOALS
        if (stage, way) in by_way
    ]
    return found + _share(by_way) + _growth(figures)


def table(results: Mapping[str, Any]) -> str:
    """The figures and the goals as Markdown."""
    lines = ["| stage | way | median | unit | times plain | every repetition |", "|---|---|---|---|---|---|"]
    for each in results["figures"]:
        ratio = f"{statistics.median(each['ratios']):.2f}" if each["ratios"] else ""
        values = ", ".join(f"{value:.4g}" for value in each["values"])
        middle = f"{statistics.median(each['values']):.4g}"
        lines.append(f"| {each['stage']} | {each['way']} | {middle} | {each['unit']} | {ratio} | {values} |")
    lines += ["", "| goal | wanted | median | every repetition |", "|---|---|---|---|"]
    for goal in results["goals"]:
        ratios = ", ".join(f"{ratio:.3g}" for ratio in goal["ratios"])
        sign = "≥" if goal["at_least"] else "<"
        lines.append(f"| {goal['text']} | {sign} {goal['wanted']:g} | {goal['median']:.3g} | {ratios} |")
    return "\n".join([*lines, "", machine_line(results)])


def machine_line(results: Mapping[str, Any]) -> str:
    """The machine in one sentence."""
    machine = results["machine"]
    memory = f", {machine['memory_bytes'] / 2**30:.0f} GiB" if machine["memory_bytes"] else ""
    flags = f" ({', '.join(machine['flags'])})" if machine["flags"] else ""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    load = " and ".join(str(each) for each in results["load"])
    return (
        f"{machine['cores']} cores {machine['architecture']}{flags}{memory}, {machine['system']}, Python"
        f" {machine['python']}, {machine['torch_threads']} threads; {versions}."
        f" Load before and after: {load}."
    )


def _goal(text: str, ratios: Sequence[float], wanted: float, *, at_least: bool = True) -> dict[str, Any]:
    return {
        "text": text,
        "wanted": wanted,
        "at_least": at_least,
        "median": round(statistics.median(ratios), 4) if ratios else None,
        "ratios": list(ratios),
    }


def _share(by_way: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How much of the encoder's own best rate the whole run keeps; ten views a picture."""
    alone = [each for (stage, way), each in by_way.items() if stage == "encoder" and way.startswith("ready")]
    whole = by_way.get(("end to end", "scaled, fast"))
    if not alone or whole is None:
        return []
    best = max(statistics.median(each["values"]) for each in alone)
    shares = [round(10 * rate / best, 4) for rate in whole["values"]]
    return [_goal("share of the encoder's own rate, float32, fast views", shares, 0.95)]


def _growth(figures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    peaks = [each["values"][0] for each in figures if each["stage"] == "peak memory"]
    if len(peaks) < 2:
        return []
    growth = [round(peaks[-1] / peaks[0] - 1, 4)]
    return [_goal("growth of peak memory from the short to the long run", growth, 0.05, at_least=False)]


def _rounded(figure: dict[str, Any]) -> dict[str, Any]:
    lists = {name: [round(value, 6) for value in figure[name]] for name in ("values", "ratios")}
    return figure | lists
