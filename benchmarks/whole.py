"""Runs end to end against the plain procedure, and which precision may be used for them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks.child import VIEWS, ask
from benchmarks.setting import Setting
from benchmarks.taking import Figure, figures, interleaved
from benchmarks.ways import VIT, Way, ways_of

__all__ = ["end_to_end", "end_to_end_lite", "precisions"]

_BATCHES = (16, 32, 64)
_ALONE = 256  # views that the encoder alone is timed on, before and after a run: some seconds each


def end_to_end(setting: Setting) -> list[Figure]:
    """ViT-B/32's shape, in turns with the plain procedure."""
    return _end_to_end(setting, VIT)


def end_to_end_lite(setting: Setting) -> list[Figure]:
    """The bundled encoder, likewise."""
    return _end_to_end(setting, "lite")


def _end_to_end(setting: Setting, network: str) -> list[Figure]:
    ways = ways_of(network)
    for way in ways:
        _best_batch(setting, way)
    found: dict[str, list[dict[str, Any]]] = {}

    def plain(repetition: int) -> float:
        # One more picture, which is for warming up.
        pictures = setting.block(repetition, count=setting.plain)
        asked = [pictures[-1], *pictures]
        answer = ask("plain", network=network, encoder=setting.source(network), pictures=asked)
        found.setdefault("plain", []).append(answer)
        return answer["rate"]

    def rate(way: Way, repetition: int) -> float:
        answer = _run(setting, way, repetition)
        found.setdefault(way.name, []).append(answer)
        return answer["rate"]

    calls = {way.name: partial(rate, way) for way in ways}
    taken = interleaved({"plain": plain, **calls}, repetitions=setting.repetitions, warm=False)
    made = figures(_stage("end to end", network), taken, unit="images/s", against="plain")
    made = [replace(each, note=_phases(found["plain"])) if each.way == "plain" else each for each in made]
    return [*made, *(one for way in ways for one in _beside(way, found[way.name]))]


def _stage(name: str, network: str) -> str:
    return f"{name}, {network}"


def _run(setting: Setting, way: Way, repetition: int) -> dict[str, Any]:
    count = setting.fast if way.fast else setting.ours
    return ask(
        "run",
        encoder=setting.source(way.network),
        pictures=setting.block(repetition, count=count),
        options=way.options,
        alone=setting.best[_key(way)],
        rounds=_ALONE // setting.best[_key(way)],
    )


def _key(way: Way) -> str:
    return f"{way.network}, {way.engine}"


def _best_batch(setting: Setting, way: Way) -> None:
    if _key(way) in setting.best:
        return
    found = ask("alone", encoder=setting.source(way.network), options=way.options, batches=_BATCHES, rounds=1)
    setting.best[_key(way)] = int(max(found, key=lambda batch: found[batch]))


def _beside(way: Way, found: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """What the repetitions of a way gave beside their rate."""

    def values(name: str) -> list[float]:
        return [one[name] for one in found]

    def figure(stage: str, unit: str, taken: Sequence[float]) -> Figure:
        return Figure(stage=_stage(stage, way.network), way=way.name, unit=unit, values=taken)

    shares = [VIEWS * one["rate"] / one["alone"] for one in found]
    return [
        figure("encoder alone, before and after", "views/s", values("alone")),
        figure("share of it that the run keeps", "1", shares),
        figure("before the first picture", "s", values("before")),
        figure("after the last picture", "s", values("after")),
        figure("the whole call, with both", "images/s", values("whole")),
    ]


def _phases(found: Sequence[Mapping[str, Any]]) -> str:
    names = found[0]["phases"]
    spent = {name: statistics.mean([one["phases"][name] for one in found]) for name in names}
    total = sum(spent.values())
    return ", ".join(f"{name} {value / total:.0%}" for name, value in spent.items())


def precisions(setting: Setting) -> list[Figure]:
    """What half precision costs, and whether it qualifies: on the bundled encoder and on random weights.

    It is what a run with ``precision="auto"`` does itself, on as many pictures as a stage alone takes.
    """
    made = list[Figure]()
    for network in ("lite", VIT):
        for runtime in dict.fromkeys(way.runtime for way in ways_of(VIT)):
            answer = ask(
                "precision",
                encoder=setting.source(network),
                pictures=setting.block(0, count=setting.few),
                runtime=runtime,
            )
            made += [_trial(trial, network, runtime) for trial in answer["trials"] if trial["errors"]]
    return made


def _trial(trial: Mapping[str, Any], network: str, runtime: str) -> Figure:
    verdict = "qualifies" if trial["qualifies"] else f"does not qualify: {trial['reason']}"
    return Figure(
        stage=_stage("mean error of cosine", network),
        way=f"{trial['precision']}, {runtime}",
        unit="1",
        values=[trial["errors"]["cosine"]["mean"]],
        note=verdict,
    )


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {
    "precision": precisions,
    "end": end_to_end,
    "lite": end_to_end_lite,
}
"""Stages of whole runs, by the name that ``--only`` takes."""
