"""Pictures through worker processes, in order; a picture that ends its worker costs itself alone.

The processes are our own: of the pools in the library one hangs where a process dies, and the other gives up
all that it has in hand.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

from embshift.core.errors import UsageError
from embshift.images import Decoded
from embshift.measurement.engine.ring import Ring
from embshift.measurement.engine.worker import Answer, Start, WorkerLimits
from embshift.measurement.engine.worker_handle import TIMED_OUT, Watch, WorkerProcess, died_of
from embshift.measurement.pipeline.perturb import Item, Perturbed, Recipe, perturb_image

__all__ = ["LIMITS", "BuildRecipe", "perturb_images"]

BuildRecipe = Callable[[], Recipe]
"""What a worker calls once, when it starts: transforms are built there, not sent."""

LIMITS = WorkerLimits(memory=4 * 2**30, seconds=120.0)
"""What one picture may take where nothing else is said."""

_AHEAD = 8  # pictures in flight for each worker: enough to keep it busy while this process encodes
_RING = 256 * 2**20  # bytes that the buffers take at most, unless one for each worker and one more takes more


def perturb_images(
    items: Iterable[Item],
    /,
    *,
    build: BuildRecipe,
    workers: int,
    limits: WorkerLimits = LIMITS,
    ahead: int = 0,
) -> Iterator[Perturbed]:
    """Every item with its views, in order.

    What workers make is lent: the pixels of a picture stand until the next picture is asked for.

    Args:
        items: Rows of the listing.
        build: Makes the recipe; must be picklable for workers, and of nothing that lives in ``__main__``.
        workers: Processes; 0 works in this one, without limits.
        limits: What one picture may take of a worker.
        ahead: Pictures that the reader takes at once, and that are made while it is busy.

    Raises:
        UsageError: If worker processes cannot be started.
    """
    remaining = iter(items)
    first = next(remaining, None)
    if first is None:
        return
    recipe, all_items = build(), chain([first], remaining)
    if workers == 0:
        yield from (perturb_image(item, recipe=recipe) for item in all_items)
        return
    shape = (recipe.views, *recipe.size, 3)
    buffer = recipe.views * recipe.size[0] * recipe.size[1] * 3
    slots = max(workers + 1, min(_AHEAD * workers + ahead, _RING // buffer))
    with closing(Ring(shape=shape, slots=slots)) as ring:
        start = Start(build=build, limits=limits, shape=shape, slots=slots)
        with closing(_Pool(start, ring=ring, workers=workers)) as pool:
            yield from pool.perturbed(all_items)


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    """A picture in flight."""

    item: Item
    slot: int
    deaths: int = 0
    result: Perturbed | None = None


class _Pool:
    """Worker processes, held open."""

    def __init__(self, start: Start, *, ring: Ring, workers: int) -> None:
        self._start, self._ring, self._wanted = start, ring, workers
        self._processes = dict[WorkerProcess, deque[_Job]]()  # with what each has been given, in order
        self._watch = Watch()

    def perturbed(self, items: Iterator[Item]) -> Iterator[Perturbed]:
        free, jobs = deque(range(self._ring.slots)), deque[_Job]()
        while True:
            for item in (item for _, item in zip(list(free), items, strict=False)):
                jobs.append(_Job(item=item, slot=free.popleft()))
                self._give(jobs[-1])
            if not jobs:
                return
            job = jobs.popleft()
            yield self._awaited(job)
            free.append(job.slot)

    def _awaited(self, job: _Job) -> Perturbed:
        while job.result is None:
            self._listen()
        return job.result

    def close(self) -> None:
        for process in self._processes:
            process.end()
        self._processes.clear()
        self._watch.close()

    def _give(self, job: _Job) -> None:
        if len(self._processes) < self._wanted:
            self._open()
        process = min(self._processes, key=lambda one: len(self._processes[one]))
        self._processes[process].append(job)
        process.send((job.item, job.slot))

    def _open(self) -> WorkerProcess:
        process = WorkerProcess(self._start, memory=self._ring.handle)
        self._processes[process] = deque()
        self._watch.add(process)
        return process

    def _listen(self) -> None:
        """Take what the workers have answered, and see which have ended."""
        for process in self._watch.wait():
            answer = process.receive()
            if answer is None:
                self._bury(process)
            elif isinstance(answer, Answer):
                job = self._processes[process].popleft()
                job.result = self._perturbed(job, answer)

    def _perturbed(self, job: _Job, answer: Answer) -> Perturbed:
        if answer.error is not None:
            raise answer.error
        return Perturbed(
            item=job.item,
            decoded=answer.decoded,
            attempts=answer.attempts,
            pixels=None if answer.views is None else self._ring[job.slot][: answer.views],
            values=answer.values,
            coordinates=answer.coordinates,
            drawn=answer.drawn,
        )

    def _bury(self, process: WorkerProcess) -> None:
        """A worker has ended: its picture is tried once more, the others go to the next worker."""
        given = self._processes.pop(process)
        self._watch.remove(process)
        code = process.end(grace=2.0)
        if not process.started:
            raise UsageError(
                "worker processes cannot start (what they said stands above); take 0 workers, which measures"
                " in the main process"
            )
        if given and (code == TIMED_OUT or given[0].deaths):
            job = given.popleft()
            job.result = _lost(job.item, code, limits=self._start.limits)
        elif given:
            # It may have been ended from outside, or by what the picture before it left behind.
            given[0].deaths += 1
        if given:
            replacement = self._open()
            for job in given:
                self._processes[replacement].append(job)
                replacement.send((job.item, job.slot))


def _lost(item: Item, code: int, *, limits: WorkerLimits) -> Perturbed:
    if code == TIMED_OUT:
        error = f"not done after {limits.seconds:g} s (--timeout); the file may be made to hang its reader"
        return Perturbed(item=item, decoded=Decoded(status="timed_out", error=error), values={})
    error = f"it ended its worker process twice ({died_of(code)}); the file may be made to do so"
    return Perturbed(item=item, decoded=Decoded(status="worker_died", error=error), values={})
