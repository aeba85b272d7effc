"""The memory of a command and of the processes that it starts."""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Memory", "Sample", "memory_of", "slope"]

_EVERY = 0.05


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What was resident at one moment, in MB.

    Attributes:
        done: How far the command was.
        main: Its own process.
        others: All processes that it has started.
    """

    done: int
    main: float
    others: float


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Greatest resident memory of the command's process and, summed, of those that it started, in MB."""

    main: float
    others: float
    samples: Sequence[Sample]


def memory_of(command: Sequence[str], *, done: Callable[[], int] = lambda: 0) -> Memory:
    """Run a command and watch its memory.

    The greatest is read from the kernel's high-water marks, each of which begins when a process loads its
    program; what a process says of itself (``ru_maxrss``) would begin with the memory of this one. NaN
    without ``/proc``.

    Args:
        command: What to run.
        done: Tells how far it is.

    Raises:
        CalledProcessError: The command failed.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    marks, samples = dict[int, float](), list[Sample]()
    watcher = threading.Thread(target=_watch, args=(process, marks, samples, done), daemon=True)
    watcher.start()
    returned = process.wait()
    watcher.join()
    if returned != 0:
        raise subprocess.CalledProcessError(returned, command)
    main = marks.pop(process.pid, float("nan"))
    return Memory(main=main, others=sum(marks.values()), samples=samples)


def slope(samples: Sequence[tuple[int, float]], /) -> float:
    """Kilobytes that each further picture takes: the line of least squares through all but the first third.

    What is loaded and reserved once, at the start, is not growth. NaN where there are no two places.

    Args:
        samples: Pictures done, and MB.
    """
    import numpy as np

    last = max((done for done, _ in samples), default=0)
    kept = [(done, size) for done, size in samples if done >= last / 3]
    if len({done for done, _ in kept}) < 2:
        return float("nan")
    done, size = np.array(kept, dtype=np.float64).T
    return float(np.polyfit(done, 1000 * size, 1)[0])


def _watch(
    process: subprocess.Popen[bytes], marks: dict[int, float], samples: list[Sample], done: Callable[[], int]
) -> None:
    while process.poll() is None:
        now = {number: _resident(number) for number in _family(process.pid)}
        marks |= {number: max(marks.get(number, 0.0), mark) for number, (mark, _) in now.items() if mark}
        if now.get(process.pid, (0.0, 0.0))[1]:
            main = now.pop(process.pid)[1]
            samples.append(Sample(done=done(), main=main, others=sum(size for _, size in now.values())))
        time.sleep(_EVERY)


def _family(number: int) -> list[int]:
    found = list[str]()
    for path in Path(f"/proc/{number}/task").glob("*/children"):
        try:
            found += path.read_text(encoding="ascii").split()
        except OSError:  # the thread has ended
            continue
    return [number, *(one for child in found for one in _family(int(child)))]


def _resident(number: int) -> tuple[float, float]:
    """High-water mark and present memory of a process, in MB; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{number}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0, 0.0
    read = dict(line.split(":", 1) for line in lines if ":" in line)
    mark, size = (int(read[name].split()[0]) * 1024 / 1e6 if name in read else 0.0 for name in _READ)
    return mark, size


_READ = ("VmHWM", "VmRSS")
