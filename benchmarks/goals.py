"""What is aimed at, and whether it was reached; of the standard library alone, as the table is."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

__all__ = ["goals"]

Figures: TypeAlias = Sequence[Mapping[str, Any]]

_VIT = "ViT-B/32"
_FAST = "fast views, scaled decode"


@dataclass(frozen=True, kw_only=True)
class _Goal:
    """A figure that something is wanted of.

    Attributes:
        text: What it is, in words.
        stage: Of the figure.
        way: Of the figure.
        of: "ratios" against the plain way, or the figure's own "values".
        wanted: The least, or the value that it must stay below.
        at_least: Which of the two.
        unit: What follows the numbers.
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


def goals(figures: Figures, /) -> list[dict[str, Any]]:
    """Every goal, with what was measured: nothing where it was not.

    Args:
        figures: As in the results.
    """
    known = {(each["stage"], each["way"]): each for each in figures}
    ends = [*_ends(figures), *_FIXED]
    last = [*_on_a_gpu(figures), _FINISHED]
    return [*(_judged(goal, known) for goal in ends), *_growth(figures), *(_judged(g, known) for g in last)]


def _ends(figures: Figures) -> list[_Goal]:
    """Goals of whole runs: the paper's setting in float32 by each runtime, and the fastest that qualifies."""
    stage, share = f"end to end, {_VIT}", f"share of it that the run keeps, {_VIT}"
    rates = {each["way"]: statistics.median(each["values"]) for each in figures if each["stage"] == stage}
    paper = [way for way in rates if way.startswith("float32") and _FAST not in way]
    paper = paper or ["float32, torch; reference views, full decode"]
    fit = [way for way in rates if _FAST in way and _qualifies(way, figures)]
    fastest = max(fit, key=lambda way: rates[way], default="none")
    half = [way for way in rates if _FAST in way and not way.startswith("float32")]
    return [
        *(
            _end(way, stage, text=f"end to end against the plain procedure, {way}", wanted=4.5)
            for way in paper
        ),
        _end(fastest, stage, text=f"end to end, the fastest that qualifies on lite ({fastest})", wanted=20),
        *(_kept(way, share, wanted=0.95) for way in paper),
        *(_kept(way, share, wanted=0.9) for way in dict.fromkeys([fastest, *half])),
    ]


def _on_a_gpu(figures: Figures) -> list[_Goal]:
    """For each shape its better way of making views."""
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
    """Whether the precision of a way may be used: float32 always, others as they were tried on lite."""
    engine = way.split(";")[0]
    tried = [
        each for each in figures if each["stage"] == "mean error of cosine, lite" and each["way"] == engine
    ]
    return engine.startswith("float32") or any(each["note"] == "qualifies" for each in tried)


def _end(way: str, stage: str, *, text: str, wanted: float) -> _Goal:
    return _Goal(text=text, stage=stage, way=way, of="ratios", wanted=wanted)


def _kept(way: str, stage: str, *, wanted: float) -> _Goal:
    text = f"share of the encoder's own rate that a run keeps, {way}"
    return _Goal(text=text, stage=stage, way=way, of="values", wanted=wanted)


def _growth(figures: Figures) -> list[dict[str, Any]]:
    """Greatest memory of the long run over that of the short one, less 1."""
    return [_grown(whose, figures) for whose in ("main process", "workers")]


def _grown(whose: str, figures: Figures) -> dict[str, Any]:
    found = [each for each in figures if each["stage"] == f"greatest memory, {whose}"]
    values = [found[-1]["values"][0] / found[0]["values"][0] - 1] if len(found) > 1 else []
    ends = f"from {found[0]['way']} to {found[-1]['way']}" if values else "from 64 to 2000 images"
    goal = _Goal(
        text=f"growth of memory {ends}, {whose}", stage="", way="", of="values", wanted=0.05, at_least=False
    )
    return _verdict(goal, values)


def _judged(goal: _Goal, known: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[str, Any]:
    return _verdict(goal, known.get((goal.stage, goal.way), {}).get(goal.of, ()))


def _verdict(goal: _Goal, values: Iterable[float]) -> dict[str, Any]:
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
