"""Pool of worker processes: images come back in order, and one that ends its worker loses itself alone.

The processes are our own: of the standard library's pools, one hangs when a process dies, and the other gives
up all its pending work.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import final

from embshift.core.errors import UsageError
from embshift.core.remote import current_access
from embshift.core.types import FrozenRow, ImageRecord
from embshift.images import Decoded
from embshift.images.ahead import ReadAhead, flatten_groups, group_rows
from embshift.measurement.engine.pauses import Pauses
from embshift.measurement.engine.ring import Ring
from embshift.measurement.engine.worker import Answer, Start, WorkerLimits
from embshift.measurement.engine.worker_handle import TIMED_OUT, Watch, WorkerProcess, describe_exit
from embshift.measurement.pipeline.perturb import Drafted, Perturbed, perturb_or_draft
from embshift.measurement.pipeline.recipe import BuildRecipe, Recipe

__all__ = ["LIMITS", "Pool", "open_pool", "perturb_images"]

LIMITS = WorkerLimits(memory=4 * 2**30, seconds=120.0)
"""Memory and time that one image may take by default."""

_READ_HERE = 32  # images read at once where no worker is
_AHEAD = 8  # images in flight for each worker: enough to keep it busy while this process encodes
_RING = 256 * 2**20  # bytes of all buffers at most, unless one for each worker and one more take more


def perturb_images(
    rows: Iterable[FrozenRow],
    /,
    *,
    build: BuildRecipe,
    workers: int,
    limits: WorkerLimits = LIMITS,
    ahead: int = 0,
) -> Iterator[Perturbed | Drafted]:
    """Make the views of every image, in order.

    What workers make is lent: the pixels of an image stay valid until the next image is asked for.

    Args:
        rows: Rows of the listing.
        build: Builds the recipe; must be picklable for workers, and use nothing that lives in ``__main__``.
        workers: Processes; 0 works in this one, without limits.
        limits: Memory and time that one image may take in a worker.
        ahead: Images that the reader takes at once, and that are made while it is busy.

    Raises:
        UsageError: If worker processes cannot be started.
    """
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        return
    all_rows = chain([first], remaining)
    if workers == 0:
        yield from _perturb_here(all_rows, build())
        return
    with open_pool(build=build, workers=workers, limits=limits, ahead=ahead) as pool:
        yield from pool.perturb(all_rows)


@contextmanager
def open_pool(
    *, build: BuildRecipe, workers: int, limits: WorkerLimits = LIMITS, ahead: int = 0
) -> Generator["Pool"]:
    """Hold a pool open, for one stream of images after another; arguments as for `perturb_images`."""
    recipe = build()
    shape = (recipe.views, *recipe.size, 3)
    buffer = recipe.views * recipe.size[0] * recipe.size[1] * 3
    slots = max(workers + 1, min(_AHEAD * workers + ahead, _RING // buffer))
    with closing(Ring(shape=shape, slots=slots)) as ring:
        access = current_access()
        start = Start(build=build, limits=limits, shape=shape, slots=slots, access=access)
        with closing(Pool(start, ring=ring, workers=workers)) as pool:
            yield pool


def _perturb_here(rows: Iterable[FrozenRow], recipe: Recipe) -> Iterator[Perturbed | Drafted]:
    """Make views in this process; while one group of remote images is worked on, the next is read."""
    with closing(ReadAhead(most=recipe.limits.bytes)) as ahead:
        own = replace(recipe, read=ahead.read)
        for group, following in pairwise(chain(group_rows(rows, most=_READ_HERE), [[]])):
            ahead.start(listed.record for listed in (*group, *following))
            for listed in group:
                yield perturb_or_draft(listed, recipe=own)


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    """An image in flight.

    Attributes:
        listed: Its row of the listing.
        slot: The buffer for its views.
        paused: Seconds for which this process had been stopped when a worker was given the image.
        failures: How often it has ended its worker, or taken longer than the limit.
        result: What was made of it; None while it is in flight.
    """

    listed: FrozenRow
    slot: int
    paused: float = 0.0
    failures: int = 0
    result: Perturbed | Drafted | None = None


@final
class Pool:
    """Worker processes, held open.

    Args:
        start: The first message to each.
        ring: The buffers for views.
        workers: How many processes there are at most.
    """

    def __init__(self, start: Start, *, ring: Ring, workers: int) -> None:
        self._start, self._ring, self._wanted = start, ring, workers
        self._processes = dict[WorkerProcess, deque[_Job]]()  # with what each has been given, in order
        self._latest: WorkerProcess | None = None  # which was given an image last
        self._watch = Watch()
        self._pauses = Pauses().start()

    def perturb(self, rows: Iterator[FrozenRow]) -> Iterator[Perturbed | Drafted]:
        """Make the views of every image, in order; of a stream that was not read to its end, none is next."""
        free, jobs = deque(range(self._ring.slots)), deque[_Job]()
        tasks = flatten_groups(group_rows(rows, most=_AHEAD))
        while True:
            for listed, ahead in (task for _, task in zip(list(free), tasks, strict=False)):
                jobs.append(_Job(listed=listed, slot=free.popleft()))
                self._give(jobs[-1], ahead)
            if not jobs:
                return
            job = jobs.popleft()
            yield self._await(job)
            free.append(job.slot)

    def _await(self, job: _Job) -> Perturbed | Drafted:
        while job.result is None:
            self._listen()
        return job.result

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.end()
        self._processes.clear()
        self._watch.close()
        self._pauses.close()

    def _give(self, job: _Job, ahead: Sequence[ImageRecord] | None) -> None:
        """Send an image to the worker with the least to do; what is read together goes to one worker."""
        if len(self._processes) < self._wanted:
            self._open()
        if ahead is not None or self._latest not in self._processes:
            self._latest = min(self._processes, key=lambda one: len(self._processes[one]))
        self._send(job, self._latest, ahead or ())

    def _send(self, job: _Job, process: WorkerProcess, ahead: Sequence[ImageRecord] = ()) -> None:
        job.paused = self._pauses.total()
        self._processes[process].append(job)
        process.send((job.listed, job.slot, tuple(ahead)))

    def _open(self) -> WorkerProcess:
        process = WorkerProcess(self._start, memory=self._ring.handle)
        self._processes[process] = deque()
        self._watch.add(process)
        return process

    def _listen(self) -> None:
        """Take the workers' answers, and see which workers have ended."""
        for process in self._watch.wait():
            answer = process.receive()
            if answer is None:
                self._bury(process)
            elif isinstance(answer, Answer):
                job = self._processes[process].popleft()
                job.result = self._restore(job, answer)

    def _restore(self, job: _Job, answer: Answer) -> Perturbed | Drafted:
        """Join an answer with what this process holds: the row and the buffer."""
        if answer.error is not None:
            raise answer.error
        buffer = self._ring[job.slot]
        if answer.drafts is not None:
            return Drafted(
                listed=job.listed,
                decoded=answer.decoded,
                attempts=answer.attempts,
                pixels=buffer[: answer.views],
                coordinates=answer.coordinates,
                drafts=answer.drafts,
            )
        return Perturbed(
            listed=job.listed,
            decoded=answer.decoded,
            attempts=answer.attempts,
            pixels=None if answer.views is None else buffer[: answer.views],
            values=answer.values,
            coordinates=answer.coordinates,
        )

    def _bury(self, process: WorkerProcess) -> None:
        """Replace a worker that has ended: its image is tried once more, the others go to the next worker.

        It may have been ended from outside, or by what the image before it left behind; and its time may have
        been over because the machine was busy. The clock also runs while all of this is stopped: time over
        then does not count at all.
        """
        given = self._processes.pop(process)
        self._watch.remove(process)
        code = process.end(grace=2.0)
        if not process.started:
            raise UsageError(
                "worker processes cannot start (their messages are above); use --workers 0 to measure in the"
                " main process"
            )
        if given and not (code == TIMED_OUT and self._pauses.total() > given[0].paused):
            given[0].failures += 1
        if given and given[0].failures > 1:
            job = given.popleft()
            job.result = _report_loss(job.listed, code, limits=self._start.limits)
        if given:
            replacement = self._open()
            for job in given:
                self._send(job, replacement)


def _report_loss(listed: FrozenRow, code: int, *, limits: WorkerLimits) -> Perturbed:
    if code == TIMED_OUT:
        error = f"not done after {limits.seconds:g} s, tried twice (--timeout); its file may be made to hang"
        return Perturbed(listed=listed, decoded=Decoded(status="timed_out", error=error), values={})
    error = f"it ended its worker process twice ({describe_exit(code)}); the file may be made to do so"
    return Perturbed(listed=listed, decoded=Decoded(status="worker_died", error=error), values={})
