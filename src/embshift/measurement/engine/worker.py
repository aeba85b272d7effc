"""Worker process: takes images, writes their views into a shared buffer, and answers.

Imports no torch, so that a worker starts soon and is small. The system limits its memory and its time for one
image, which also holds where a decoder is stuck in native code.
"""

import importlib
import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import cv2
import numpy as np

from embshift.core.remote import NO_ACCESS, Access, grant_access
from embshift.core.types import Coordinates, FrozenRow, ImageRecord
from embshift.images import Decoded
from embshift.images.ahead import HELD, ReadAhead
from embshift.measurement.engine.ring import Ring
from embshift.measurement.pipeline.perturb import Attempt, Draft, Drafted, Perturbed, perturb_or_draft
from embshift.measurement.pipeline.recipe import BuildRecipe, Recipe

__all__ = ["READY", "Answer", "Start", "Task", "WorkerLimits", "serve"]

READY = "ready"
"""A worker's first message, when it has built its recipe."""

Task = tuple[FrozenRow, int, Sequence[ImageRecord]]
"""A row of the listing, the buffer that the image's views go to, and records to be read ahead with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """Memory and time that one image may take in a worker.

    Attributes:
        memory: Bytes beyond what the worker uses when it starts.
        seconds: For decoding, all views and pixel metrics together.
    """

    memory: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first message to a worker.

    Attributes:
        build: Builds the recipe.
        limits: Memory and time that one image may take.
        shape: Views, height, width and 3, of one buffer.
        slots: Number of buffers.
        access: What may be read from other machines.
    """

    build: BuildRecipe
    limits: WorkerLimits
    shape: tuple[int, int, int, int]
    slots: int
    access: Access = NO_ACCESS


class Answer(NamedTuple):
    """A `Perturbed` or `Drafted` without its row, which the parent has, and its pixels, held by the buffer.

    A tuple, since it is sent in less time than a frozen class.

    Attributes:
        decoded: As in `Perturbed`.
        values: As in `Perturbed`; empty for a `Drafted`.
        attempts: As in both.
        coordinates: As in both.
        drafts: As in `Drafted`; None for a `Perturbed`.
        views: How many views are in the buffer; None where there are none at all.
        error: What no image should raise, to be raised by the parent.
    """

    decoded: Decoded
    values: Mapping[str, Any]
    attempts: tuple[Attempt, ...] = ()
    coordinates: Sequence[Coordinates | None] = ()
    drafts: tuple[Draft, ...] | None = None
    views: int | None = None
    error: BaseException | None = None


def serve(tasks_at: int, answers_at: int, memory_at: int) -> None:
    """Serve tasks, from the first to the end of the parent process.

    Args:
        tasks_at: File descriptor of the pipe that tasks come through.
        answers_at: File descriptor of the pipe that answers go through.
        memory_at: File descriptor of the shared memory.
    """
    for handle in (tasks_at, answers_at, memory_at):
        os.set_inheritable(handle, False)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    cv2.setNumThreads(1)
    tasks, answers = Connection(tasks_at, writable=False), Connection(answers_at, readable=False)
    with _hide_torch():
        importlib.import_module("albumentations")
    start: Start = tasks.recv()
    ring, recipe = Ring(shape=start.shape, slots=start.slots, handle=memory_at), start.build()
    with grant_access(start.access):
        _work(start, ring, recipe, tasks=tasks, answers=answers)


def _work(
    start: Start,
    ring: Ring,
    recipe: Recipe,
    *,
    tasks: "Connection[Any, Any]",
    answers: "Connection[Any, Any]",
) -> None:
    ahead = ReadAhead(most=recipe.limits.bytes)
    if start.access.remote:
        ahead.open()  # now, since the threads' own memory is none of an image
    recipe = replace(recipe, read=ahead.read)
    waiting = _receive(tasks, ahead)
    _limit_memory(start.limits.memory + HELD * start.access.remote)
    answers.send(READY)
    while True:
        listed, slot, _ = waiting.get()
        ahead.prepare(listed.record)  # waiting for a server takes none of the image's time
        with _limit_time(start.limits.seconds):
            answer = _answer(listed, recipe, ring[slot], limits=start.limits)
        _send(answers, answer)


@contextmanager
def _hide_torch() -> Generator[None]:
    """Keep albumentations from importing torch, for tensors that nobody asks for: seconds, and 150 MB."""
    if "torch" in sys.modules:
        yield
        return
    hidden: dict[str, Any] = sys.modules
    hidden["torch"] = None
    try:
        yield
    finally:
        # A transform of the user's may want it.
        del hidden["torch"]


def _receive(tasks: "Connection[Any, Any]", ahead: ReadAhead) -> "queue.SimpleQueue[Task]":
    """Queue tasks as they come: the parent never waits for a worker that is busy.

    A parent that is killed cannot say so; its pipe closes, and the worker ends.
    """
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()

    def listen() -> None:
        while True:
            try:
                task: Task = tasks.recv()
                ahead.start(task[2])
                waiting.put(task)
            except (EOFError, OSError):
                os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    return waiting


def _limit_memory(memory: int) -> None:
    """Make an allocation beyond the limit fail from here on, with an error where the library raises one."""
    if sys.platform != "linux":  # elsewhere the system does not enforce such a limit
        return
    import resource

    with open("/proc/self/status", encoding="ascii") as file:
        used = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = used + memory
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextmanager
def _limit_time(seconds: float) -> Generator[None]:
    """Have the system end the process when the time is over: no code of ours need run for it."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(listed: FrozenRow, recipe: Recipe, buffer: np.ndarray, *, limits: WorkerLimits) -> Answer:
    try:
        made = perturb_or_draft(listed, recipe=recipe, into=buffer)
    except MemoryError:
        error = f"views and metrics need more than {limits.memory // 2**20:,} MiB (--worker-memory)"
        return Answer(decoded=Decoded(status="too_large", error=error), values={})
    except Exception as error:  # noqa: BLE001 - a defect, which the parent raises
        return Answer(decoded=Decoded(), values={}, error=_make_sendable(error))
    return _strip(made)


def _strip(made: Perturbed | Drafted) -> Answer:
    drafted = isinstance(made, Drafted)
    return Answer(
        decoded=made.decoded,
        attempts=made.attempts,
        values={} if drafted else made.values,
        coordinates=made.coordinates,
        drafts=made.drafts if drafted else None,
        views=None if made.pixels is None else len(made.pixels),
    )


def _send(answers: "Connection[Any, Any]", answer: Answer) -> None:
    try:
        answers.send(answer)
    except (BrokenPipeError, ConnectionResetError):  # the parent has ended
        os._exit(1)


def _make_sendable(error: Exception) -> Exception:
    """Return the error, or its text where it cannot be pickled."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever its class does when it is pickled
        return RuntimeError(f"{type(error).__name__}: {error}")
