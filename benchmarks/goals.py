"""Goals of the benchmark, and whether they are met. Imports only the standard library, like the report."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

__all__ = ["judge_goals"]

Figures: TypeAlias = Sequence[Mapping[str, Any]]

_VIT = "ViT-B/32"
_FAST = "fast views, scaled decode"


@dataclass(frozen=True, kw_only=True)
class _Goal:
    """A figure and the value that it should reach.

    Attributes:
        text: The goal in words.
        stage: Stage of the figure.
        way: Variant of the figure.
        of: "ratios" against the plain variant, or the figure's own "values".
        wanted: The smallest value that meets the goal, or the value to stay below.
        at_least: True for the first meaning of `wanted`.
        unit: Text after the numbers.
    """

    text: str
    stage: str
    way: str
    of: Literal["ratios", "values"]
    wanted: float
    at_least: bool = True
    unit: str = ""


_FIXED = (
    _Goal(
        text="pixel metrics against plain loops",
        stage="pixel metrics",
        way="batched",
        of="ratios",
        wanted=12,
    ),
    _Goal(text="fast views against albumentations", stage="nine views", way="fast", of="ratios", wanted=2.5),
)

_FINISHED = _Goal(
    text="a finished run of 13,312 images asked again",
    stage="finished run asked again",
    way="13,312 images",
    of="values",
    wanted=2,
    at_least=False,
    unit=" s",
)


_COMPARED = tuple(
    _Goal(
        text=f"five runs of 13,312 images and ten transforms compared: {what}",
        stage=f"embshift compare: {what}",
        way="5 runs, 13,312 images, 10 transforms",
        of="values",
        wanted=wanted,
        at_least=False,
        unit=unit,
    )
    for what, wanted, unit in (("time", 60, " s"), ("greatest memory", 2147, " MB"))
)


_MANY = tuple(
    _Goal(
        text=f"a million images, ten transforms and six metrics: {what} of {stage}",
        stage=f"{stage}: {what}",
        way="1,000,000 images, 10 transforms, 6 metrics",
        of="values",
        wanted=wanted,
        at_least=False,
        unit=unit,
    )
    for stage in ("embshift summarise", "embshift report")
    for what, wanted, unit in (("processor time", 60, " s"), ("greatest memory", 1074, " MB"))
)


def judge_goals(figures: Figures, /) -> list[dict[str, Any]]:
    """Return every goal with its measured values, if it was measured.

    Args:
        figures: The figures, as in the results.
    """
    known = {(each["stage"], each["way"]): each for each in figures}
    ends = [*_end_goals(figures), *_FIXED]
    last = [*_gpu_goals(figures), _FINISHED, *_COMPARED, *_MANY]
    return [
        *(_judge(goal, known) for goal in ends),
        *_judge_growth(figures),
        *_judge_explaining(figures),
        *(_judge(g, known) for g in last),
    ]


def _end_goals(figures: Figures) -> list[_Goal]:
    """Return the goals of whole runs: float32 as in the paper by each runtime, and the fastest qualifying."""
    stage, share = f"end to end, {_VIT}", f"share of it that the run keeps, {_VIT}"
    rates = {each["way"]: statistics.median(each["values"]) for each in figures if each["stage"] == stage}
    paper = [way for way in rates if way.startswith("float32") and _FAST not in way]
    paper = paper or ["float32, torch; reference views, full decode"]
    fit = [way for way in rates if _FAST in way and _qualifies(way, figures)]
    fastest = max(fit, key=lambda way: rates[way], default="none")
    half = [way for way in rates if _FAST in way and not way.startswith("float32")]
    return [
        *(
            _end_goal(way, stage, text=f"end to end against the plain procedure, {way}", wanted=4.5)
            for way in paper
        ),
        _end_goal(
            fastest, stage, text=f"end to end, the fastest that qualifies on lite ({fastest})", wanted=20
        ),
        *(_share_goal(way, share, wanted=0.95) for way in paper),
        *(_share_goal(way, share, wanted=0.9) for way in dict.fromkeys([fastest, *half])),
    ]


def _gpu_goals(figures: Figures) -> list[_Goal]:
    """Return the goal of each shape, for the better of its two ways to make views."""
    stage = "GPU, from files, share of the peak"
    shares = {each["way"]: statistics.median(each["values"]) for each in figures if each["stage"] == stage}
    found = list[_Goal]()
    for name, wanted in (("ViT-L/14", 0.5), ("ViT-B/16", 0.5), (_VIT, 0.35)):
        ways = [way for way in shares if way.startswith(name)]
        best = max(ways, key=lambda way: shares[way], default=name)
        text = f"{best} on an H100, from files: share of 790 TFLOP/s"
        found.append(_Goal(text=text, stage=stage, way=best, of="values", wanted=wanted))
    return found


def _qualifies(way: str, figures: Figures) -> bool:
    """Return whether a variant's precision qualifies: float32 always, others by their error on lite."""
    engine = way.split(";")[0]
    tried = [
        each for each in figures if each["stage"] == "mean error of cosine, lite" and each["way"] == engine
    ]
    return engine.startswith("float32") or any(each["note"] == "qualifies" for each in tried)


def _end_goal(way: str, stage: str, *, text: str, wanted: float) -> _Goal:
    return _Goal(text=text, stage=stage, way=way, of="ratios", wanted=wanted)


def _share_goal(way: str, stage: str, *, wanted: float) -> _Goal:
    text = f"share of the encoder's own rate that a run keeps, {way}"
    return _Goal(text=text, stage=stage, way=way, of="values", wanted=wanted)


def _judge_growth(figures: Figures) -> list[dict[str, Any]]:
    """Judge the peak memory of the long run divided by that of the short one, minus 1."""
    return [_judge_process(whose, figures) for whose in ("main process", "workers")]


def _judge_process(whose: str, figures: Figures) -> dict[str, Any]:
    found = [each for each in figures if each["stage"] == f"greatest memory, {whose}"]
    values = [found[-1]["values"][0] / found[0]["values"][0] - 1] if len(found) > 1 else []
    ends = f"from {found[0]['way']} to {found[-1]['way']}" if values else "from 64 to 2000 images"
    goal = _Goal(
        text=f"growth of memory {ends}, {whose}", stage="", way="", of="values", wanted=0.05, at_least=False
    )
    return _make_verdict(goal, values)


def _judge_explaining(figures: Figures) -> list[dict[str, Any]]:
    """Judge parts of an explanation as multiples of a forward pass."""
    found = list[dict[str, Any]]()
    for way, wanted, text in (
        ("shares", 0.01, "shares of all components"),
        ("class path", 2.0, "class path of all components, one direction"),
    ):
        stage = f"explaining, {_VIT}"
        goal = _Goal(
            text=f"{text}, in forward passes of {_VIT}",
            stage=stage,
            way=way,
            of="ratios",
            wanted=wanted,
            at_least=False,
        )
        ratios = [each["ratios"] for each in figures if (each["stage"], each["way"]) == (stage, way)]
        found.append(_make_verdict(goal, [1 / value for value in (ratios[0] if ratios else ())]))
    return found


def _judge(goal: _Goal, known: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[str, Any]:
    return _make_verdict(goal, known.get((goal.stage, goal.way), {}).get(goal.of, ()))


def _make_verdict(goal: _Goal, values: Iterable[float]) -> dict[str, Any]:
    kept = [round(value, 4) for value in values if value == value]
    middle = round(statistics.median(kept), 4) if kept else None
    met = None if middle is None else (middle >= goal.wanted if goal.at_least else middle < goal.wanted)
    return {
        "text": goal.text,
        "wanted": goal.wanted,
        "at_least": goal.at_least,
        "unit": goal.unit,
        "measured": middle,
        "repetitions": kept,
        "met": met,
    }
