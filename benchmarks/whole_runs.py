"""Stages of whole runs: end to end against the plain procedure, and the precisions that qualify."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks.child import VIEWS, run_task
from benchmarks.setting import Setting
from benchmarks.timing import Figure, interleave, make_figures
from benchmarks.ways import VIT, Way, list_ways

__all__ = ["STAGES", "measure_lite", "measure_precisions", "measure_vit"]

_BATCHES = (16, 32, 64)
_ALONE = 256  # views on which the encoder alone is timed, before and after a run; some seconds each


def measure_vit(setting: Setting) -> list[Figure]:
    """Measure runs with ViT-B/32's shape, in turns with the plain procedure."""
    return _measure_end_to_end(setting, VIT)


def measure_lite(setting: Setting) -> list[Figure]:
    """Measure runs with the bundled encoder, in turns with the plain procedure."""
    return _measure_end_to_end(setting, "lite")


def _measure_end_to_end(setting: Setting, network: str) -> list[Figure]:
    ways = list_ways(network)
    for way in ways:
        _find_best_batch(setting, way)
    found: dict[str, list[dict[str, Any]]] = {}

    def plain(repetition: int) -> float:
        # One more image, for warming up.
        images = setting.block(repetition, count=setting.plain)
        given = [images[-1], *images]
        answer = run_task("plain", network=network, encoder=setting.source(network), images=given)
        found.setdefault("plain", []).append(answer)
        return answer["rate"]

    def rate(way: Way, repetition: int) -> float:
        answer = _run(setting, way, repetition)
        found.setdefault(way.name, []).append(answer)
        return answer["rate"]

    calls = {way.name: partial(rate, way) for way in ways}
    taken = interleave({"plain": plain, **calls}, repetitions=setting.repetitions, warm=False)
    made = make_figures(_stage("end to end", network), taken, unit="images/s", against="plain")
    made = [
        replace(each, note=_format_phases(found["plain"])) if each.way == "plain" else each for each in made
    ]
    return [*made, *(one for way in ways for one in _further_figures(way, found[way.name]))]


def _stage(name: str, network: str) -> str:
    return f"{name}, {network}"


def _run(setting: Setting, way: Way, repetition: int) -> dict[str, Any]:
    count = setting.fast if way.fast else setting.ours
    return run_task(
        "run",
        encoder=setting.source(way.network),
        images=setting.block(repetition, count=count),
        options=way.options,
        alone=setting.best[_key(way)],
        rounds=_ALONE // setting.best[_key(way)],
    )


def _key(way: Way) -> str:
    return f"{way.network}, {way.engine}"


def _find_best_batch(setting: Setting, way: Way) -> None:
    if _key(way) in setting.best:
        return
    found = run_task(
        "alone", encoder=setting.source(way.network), options=way.options, batches=_BATCHES, rounds=1
    )
    setting.best[_key(way)] = int(max(found, key=lambda batch: found[batch]))


def _further_figures(way: Way, found: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Return what the repetitions of a variant gave besides their rate."""

    def values(name: str) -> list[float]:
        return [one[name] for one in found]

    def figure(stage: str, unit: str, taken: Sequence[float]) -> Figure:
        return Figure(stage=_stage(stage, way.network), way=way.name, unit=unit, values=taken)

    shares = [VIEWS * one["rate"] / one["alone"] for one in found]
    return [
        figure("encoder alone, before and after", "views/s", values("alone")),
        figure("share of it that the run keeps", "1", shares),
        figure("before the first image", "s", values("before")),
        figure("after the last image", "s", values("after")),
        figure("the whole call, with both", "images/s", values("whole")),
    ]


def _format_phases(found: Sequence[Mapping[str, Any]]) -> str:
    names = found[0]["phases"]
    spent = {name: statistics.mean([one["phases"][name] for one in found]) for name in names}
    total = sum(spent.values())
    return ", ".join(f"{name} {value / total:.0%}" for name, value in spent.items())


def measure_precisions(setting: Setting) -> list[Figure]:
    """Measure the error of half precision, and whether it qualifies.

    The bundled encoder and random weights are measured, by a run with ``precision="auto"`` on as many images
    as a single stage takes.
    """
    made = list[Figure]()
    for network in ("lite", VIT):
        for runtime in dict.fromkeys(way.runtime for way in list_ways(VIT)):
            answer = run_task(
                "precision",
                encoder=setting.source(network),
                images=setting.block(0, count=setting.few),
                runtime=runtime,
            )
            made += [_trial_figure(trial, network, runtime) for trial in answer["trials"] if trial["errors"]]
    return made


def _trial_figure(trial: Mapping[str, Any], network: str, runtime: str) -> Figure:
    verdict = "qualifies" if trial["qualifies"] else f"does not qualify: {trial['reason']}"
    return Figure(
        stage=_stage("mean error of cosine", network),
        way=f"{trial['precision']}, {runtime}",
        unit="1",
        values=[trial["errors"]["cosine"]["mean"]],
        note=verdict,
    )


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {
    "precision": measure_precisions,
    "end": measure_vit,
    "lite": measure_lite,
}
"""Stages of whole runs, by their name for ``--only``."""
