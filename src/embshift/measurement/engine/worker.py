"""What a worker process does: take pictures, make their views into a shared buffer, answer.

Imports no torch, so that a worker starts soon and is small. Its memory and its time for one picture are
limited by the system, which holds also where a decoder is stuck in native code.
"""

import importlib
import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import cv2
import numpy as np

from embshift.core.types import Coordinates
from embshift.images import Decoded
from embshift.measurement.engine.ring import Ring
from embshift.measurement.pipeline.perturb import Attempt, Drawn, Item, Perturbed, Recipe, perturb_image

__all__ = ["READY", "Answer", "Start", "Task", "WorkerLimits", "serve"]

READY = "ready"
"""A worker's first word, when it has built its recipe."""

Task = tuple[Item, int]
"""A picture, and the buffer that its views go to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """What one picture may take of a worker.

    Attributes:
        memory: Bytes beyond what the worker has when it starts.
        seconds: For decoding, all views and pixel metrics together.
    """

    memory: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first thing that a worker hears.

    Attributes:
        build: Makes the recipe.
        limits: What one picture may take.
        shape: Views, height, width and 3, of one buffer.
        slots: Number of buffers.
    """

    build: Callable[[], Recipe]
    limits: WorkerLimits
    shape: tuple[int, int, int, int]
    slots: int


class Answer(NamedTuple):
    """A `Perturbed` without its item, which the parent has, and its pixels, which stand in the buffer.

    Attributes:
        decoded: As there.
        values: As there.
        attempts: As there.
        coordinates: As there.
        drawn: As there.
        views: How many views stand in the buffer; None where there are none at all.
        error: What no picture should raise, to be raised by the parent.
    """

    decoded: Decoded
    values: Mapping[str, Any]
    attempts: tuple[Attempt, ...] = ()
    coordinates: Sequence[Coordinates | None] = ()
    drawn: tuple[Drawn, ...] = ()
    views: int | None = None
    error: BaseException | None = None


def serve(tasks_at: int, answers_at: int, memory_at: int) -> None:
    """A worker's life, from its first task to the end of its parent.

    Args:
        tasks_at: The open pipe that it hears.
        answers_at: The open pipe that it answers through.
        memory_at: The open shared memory.
    """
    for handle in (tasks_at, answers_at, memory_at):
        os.set_inheritable(handle, False)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    cv2.setNumThreads(1)
    tasks, answers = Connection(tasks_at, writable=False), Connection(answers_at, readable=False)
    with _torch_hidden():
        importlib.import_module("albumentations")
    start: Start = tasks.recv()
    ring, recipe = Ring(shape=start.shape, slots=start.slots, handle=memory_at), start.build()
    waiting = _heard(tasks)
    _limit_memory(start.limits.memory)
    answers.send(READY)
    while True:
        item, slot = waiting.get()
        with _limited_time(start.limits.seconds):
            answer = _answer(item, recipe, ring[slot], limits=start.limits)
        _send(answers, answer)


@contextmanager
def _torch_hidden() -> Generator[None]:
    """Of itself albumentations imports torch, for tensors that nobody asks for: seconds, and 150 MB."""
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


def _heard(tasks: "Connection[Any, Any]") -> "queue.SimpleQueue[Task]":
    """Tasks as they come: the parent never waits for a worker that is busy.

    A parent that is killed cannot say so; its pipe says it, and the worker ends.
    """
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()

    def listen() -> None:
        while True:
            try:
                waiting.put(tasks.recv())
            except (EOFError, OSError):
                os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    return waiting


def _limit_memory(memory: int) -> None:
    """From here on an allocation beyond the limit fails, as an error where the library can say one."""
    if sys.platform != "linux":  # elsewhere the system does not keep such a limit
        return
    import resource

    with open("/proc/self/status", encoding="ascii") as file:
        used = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = used + memory
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextmanager
def _limited_time(seconds: float) -> Generator[None]:
    """The system ends the process when the time is over: no code of ours need be reached for it."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(item: Item, recipe: Recipe, buffer: np.ndarray, *, limits: WorkerLimits) -> Answer:
    try:
        made = perturb_image(item, recipe=recipe, into=buffer)
    except MemoryError:
        error = f"more than {limits.memory // 2**20:,} MiB for its views and metrics (--worker-memory)"
        return Answer(decoded=Decoded(status="too_large", error=error), values={})
    except Exception as error:  # noqa: BLE001 - a defect, which the parent raises
        return Answer(decoded=Decoded(), values={}, error=_sendable(error))
    return _told(made)


def _told(made: Perturbed) -> Answer:
    return Answer(
        decoded=made.decoded,
        attempts=made.attempts,
        values=made.values,
        coordinates=made.coordinates,
        drawn=made.drawn,
        views=None if made.pixels is None else len(made.pixels),
    )


def _send(answers: "Connection[Any, Any]", answer: Answer) -> None:
    try:
        answers.send(answer)
    except (BrokenPipeError, ConnectionResetError):  # there is no parent any more
        os._exit(1)


def _sendable(error: Exception) -> Exception:
    """The error, or its words where the parent could not read it."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever its class does when it is written down
        return RuntimeError(f"{type(error).__name__}: {error}")
