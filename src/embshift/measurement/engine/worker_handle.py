"""Handle of a worker process: its own interpreter, two pipes and the shared memory.

A worker is a new program, never a fork: a fork after torch has started its threads can hang. Nor does it run
the user's script again, so that a script needs no ``if __name__ == "__main__"``.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe
from typing import final

from embshift.core.errors import UsageError
from embshift.measurement.engine.worker import Answer, Start, Task

__all__ = ["TIMED_OUT", "Watch", "WorkerProcess", "describe_exit", "order_path"]

TIMED_OUT = -getattr(signal, "SIGALRM", 14)
"""The exit code of a worker whose time for an image was over."""

_PROGRAM = (
    # Imports here run before the path is set: with -P, none of them can come from the working folder.
    # Ctrl-C reaches the whole terminal group; the parent alone decides what it means.
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import json, sys;"
    " sys.path[:] = json.loads(sys.argv[1]);"
    " from embshift.measurement.engine.worker import serve; serve(*map(int, sys.argv[2:]))"
)

_ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {
    "NO_ALBUMENTATIONS_UPDATE": "1"
}
"""What libraries read when they are imported: one thread a worker, and no server is asked for news."""


def order_path(path: Sequence[str]) -> list[str]:
    """Return the folders of an import path with the working folder last.

    A file there cannot take the place of a library's module, and a user's own function still loads.

    Args:
        path: As in ``sys.path``; "" stands for the working folder.
    """
    others = [entry for entry in path if not _is_working_folder(entry)]
    return others if len(others) == len(path) else [*others, os.getcwd()]


def _is_working_folder(entry: str) -> bool:
    try:
        return os.path.samefile(entry or os.curdir, os.curdir)
    except (OSError, ValueError):  # no such folder
        return False


@final
class WorkerProcess:
    """A worker, starting or started.

    Args:
        start: The first message to it.
        memory: File descriptor of the shared memory.

    Attributes:
        started: Whether it has built its recipe.
    """

    def __init__(self, start: Start, *, memory: int) -> None:
        if sys.platform == "win32":
            raise UsageError("worker processes do not run on Windows; use --workers 0")
        theirs_in, self._tasks = Pipe(duplex=False)
        self.answers, theirs_out = Pipe(duplex=False)
        handles = (theirs_in.fileno(), theirs_out.fileno(), memory)
        path = json.dumps(order_path(sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, path, *map(str, handles)],
            stdin=subprocess.DEVNULL,
            pass_fds=handles,
            env={**os.environ, **_ENVIRONMENT},
        )
        theirs_in.close()
        theirs_out.close()
        self.started = False
        self._send(start)

    def send(self, task: Task) -> None:
        """Send one more image; a worker that has ended takes none, which `receive` will tell."""
        self._send(task)

    def _send(self, thing: Start | Task) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            self._tasks.send(thing)

    def receive(self) -> Answer | str | None:
        """Return its message: an answer, or `READY`; None where it has ended, even within a message."""
        if self.has_ended():  # its pipe may be held open by what it has started, and for long
            return None
        try:
            heard: Answer | str = self.answers.recv()
        except (EOFError, OSError):
            return None
        self.started = True
        return heard

    def has_ended(self) -> bool:
        """Return whether the process is gone and all of its answers are read."""
        return self._process.poll() is not None and not self.answers.poll()

    def end(self, *, grace: float = 0.0) -> int:
        """End it, and return its exit code, a signal as a negative number.

        Args:
            grace: Seconds in which it may still end by itself, with the exit code that tells why.
        """
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=grace)
        self._process.kill()
        code = self._process.wait()
        self._tasks.close()
        self.answers.close()
        return code


@final
class Watch:
    """The pipes of several workers, registered with the system once and not at every wait."""

    def __init__(self) -> None:
        self._pipes = selectors.DefaultSelector()

    def add(self, process: WorkerProcess) -> None:
        """Watch one more worker."""
        self._pipes.register(process.answers, selectors.EVENT_READ, process)

    def remove(self, process: WorkerProcess) -> None:
        """Stop watching a worker, before it is ended."""
        self._pipes.unregister(process.answers)

    def wait(self) -> list[WorkerProcess]:
        """Wait until a worker has answered or ended, and return all that have."""
        while True:
            ready: list[WorkerProcess] = [key.data for key, _ in self._pipes.select(timeout=1.0)]
            # A pipe stays open while a process that the worker started holds it: look at the worker itself.
            ready = ready or [one.data for one in self._pipes.get_map().values() if one.data.has_ended()]
            if ready:
                return ready

    def close(self) -> None:
        """Release what the system holds for it."""
        self._pipes.close()


def describe_exit(code: int) -> str:
    """Return an exit code in words, e.g. "signal SIGKILL"."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
