"""Stages of runs on clusters: actors of Ray, the same work without Ray, and what an image leaves on disk."""

import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.setting import Setting
from benchmarks.timing import Figure, interleave, make_figures, time_call

__all__ = ["STAGES", "measure_ray", "measure_stored"]

_CHUNKS = 6  # of one repetition; every actor has two in flight
_CALLS = 200  # chunks that are there already, to time the handing out alone
_OPTIONS = {"encoder": "lite", "threads": 1, "batch": 32}


def measure_ray(setting: Setting) -> list[Figure]:
    """Measure one and two actors of Ray, and one actor's work without Ray, in turns on the same chunks."""
    from embshift.measurement.cluster.actor import Measurer, Order
    from embshift.measurement.cluster.items import Item
    from embshift.measurement.cluster.ray_actors import Needs, RayActors, join_cluster

    size = max(4, setting.few // 2)
    folder = _prepare(setting, chunk=size, count=size * _CHUNKS)
    items = [Item(chunk=chunk, first=chunk * size, count=size) for chunk in range(_CHUNKS)]
    own = {"workers": 1, "worker_memory": None, "timeout": None}
    order = Order(folder=os.path.abspath(folder), own=own, path=())
    alone = Measurer(order)
    alone.open()
    with join_cluster(None) as ray:
        actors = RayActors(ray, order, Needs(cpus=1, gpus=0))
        opened = _Opened(actors, 2)
        calls = {
            "without Ray": (lambda each: [alone.measure(one) for one in each], [os.getpid()]),
            "one actor": (partial(opened.spread, count=1), opened.processes),
            "two actors": (partial(opened.spread, count=2), opened.processes),
        }
        spent: dict[str, list[float]] = {name: [] for name in calls}
        ways = {
            name: partial(_rate, folder, items, call, whose, spent[name])
            for name, (call, whose) in calls.items()
        }
        taken = interleave(ways, repetitions=max(3, setting.repetitions), warm=False)
        there = [items[number % _CHUNKS] for number in range(_CALLS)]
        handed = {
            "without Ray": lambda _: _spent(lambda: [alone.measure(one) for one in there]),
            "one actor: the driver": lambda _: _spent(lambda: opened.spread(there, count=1)),
        }
        handing = interleave(handed, repetitions=max(3, setting.repetitions))
        actors.close()
    note = f"{_CHUNKS} chunks of {size} images in a repetition; each actor has one thread and one worker"
    made = make_figures("actors of Ray, lite", taken, unit="images/s", against="one actor")
    made = [replace(made[0], note=note), *made[1:]]
    made += make_figures("actors of Ray, lite, processor time", spent, unit="ms/image", against="one actor")
    return [*made, *make_figures("a chunk that is there already, processor time", handing, unit="ms/chunk")]


def _prepare(setting: Setting, *, chunk: int, count: int) -> Path:
    """Return a run folder that holds plan and listing."""
    from embshift.core.progress import Silent
    from embshift.measurement.plan.plan import make_plan
    from embshift.measurement.session.carry_out import carry_out

    sources = [str(path) for path in setting.images[:count]]
    folder = setting.folder / "prepared"
    carry_out(
        make_plan(sources=sources, chunk=chunk, keep_views=0, **_OPTIONS),
        sources=sources,
        out=folder,
        reporter=Silent(),
        prepare=True,
    )
    return folder


def _rate(
    folder: Path,
    items: Sequence[Any],
    measure: Callable[[Sequence[Any]], object],
    processes: Sequence[int],
    spent: list[float],
    _: int,
) -> float:
    """Return images per second of chunks that are not there yet, and note the processor time of an image."""
    for path in folder.glob("*/chunk-*.parquet"):
        path.unlink()
    count, before = sum(one.count for one in items), _read_processor_time(processes)
    taken = time_call(lambda: measure(items))
    spent.append(1e3 * (_read_processor_time(processes) - before) / count)
    return count / taken


def _read_processor_time(processes: Sequence[int]) -> float:
    """Return the seconds of processor time that processes and their workers have taken."""
    total = 0.0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            worker = b"measurement.engine.worker" in (place / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if int(place.name) in processes or (worker and int(fields[1]) in processes):
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def _spent(call: Callable[[], object]) -> float:
    """Return the milliseconds of processor time that this process takes for a chunk."""
    before = time.process_time()
    call()
    return 1e3 * (time.process_time() - before) / _CALLS


class _Opened:
    """Actors that are open already, so that a repetition pays for no start."""

    def __init__(self, actors: Any, count: int) -> None:
        self._actors = actors
        self._numbers = [actors.start() for _ in range(count)]
        self.processes = list[int]()
        while len(self.processes) < count:
            self.processes += [event.answer["process"] for event in actors.wait(1.0)]
        self._told = deque[Any]()

    def spread(self, items: Sequence[Any], *, count: int) -> None:
        """Have so many of the actors measure items."""
        from embshift.measurement.cluster.hand_out import hand_out

        self._free = deque(self._numbers[:count])
        hand_out(items, self, wanted=count, done=lambda *_: None, note=print)

    def start(self) -> int:
        from embshift.measurement.cluster.hand_out import Event

        self._told.append(Event(actor=self._free.popleft(), kind="opened"))
        return self._told[-1].actor

    def give(self, actor: int, item: Any) -> None:
        self._actors.give(actor, item)

    def wait(self, seconds: float) -> Sequence[Any]:
        return [self._told.popleft()] if self._told else self._actors.wait(seconds)

    def end(self, actor: int) -> None:
        raise RuntimeError("an actor has ended while it was measured")


WITHOUT = "outside it, --no-embeddings"
"""Name of the figures of a run that keeps no embeddings."""


def measure_stored(setting: Setting) -> list[Figure]:
    """Measure the bytes that one image leaves in each table, within the metric sample and outside it."""
    import embshift
    from embshift.runs.schema import TABLES

    images, made = [str(path) for path in setting.images[:64]], list[Figure]()
    ways = (("in the metric sample", len(images), True), ("outside it", 0, True), (WITHOUT, 0, False))
    for way, sample, kept in ways:
        options = {"metric_sample": sample, "keep_embeddings": kept, "keep_views": 0, **_OPTIONS}
        run = embshift.measure(images, out=setting.folder / f"stored-{sample}-{kept}", **options)
        for name in TABLES:
            stored = sum(path.stat().st_size for path in (run.folder / name).glob("chunk-*.parquet"))
            size = stored / 1e3 / len(images)
            made.append(Figure(stage=f"stored, lite, {way}", way=name, unit="KB/image", values=[size]))
    dim = float(run.info["encoder"]["dim"])
    return [*made, Figure(stage="stored, lite", way="numbers of an embedding", unit="1", values=[dim])]


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {"ray": measure_ray, "stored": measure_stored}
"""Stages of runs on clusters, by their name for ``--only``."""
