"""Memory of a command and of the processes that it starts."""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Memory", "Sample", "fit_slope", "watch_memory"]

_EVERY = 0.05


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Resident memory at one moment, in MB.

    Attributes:
        done: Progress of the command.
        main: Memory of its own process.
        others: Memory of all processes that it has started.
    """

    done: int
    main: float
    others: float


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Peak resident memory in MB: of the command's process, and summed over those that it started."""

    main: float
    others: float
    samples: Sequence[Sample]


def watch_memory(command: Sequence[str], *, done: Callable[[], int] = lambda: 0) -> Memory:
    """Run a command and return its memory.

    The peak is the kernel's high-water mark, which starts when a process loads its program. ``ru_maxrss``
    would start with the memory of this process instead. NaN without ``/proc``.

    Args:
        command: The command and its arguments.
        done: Returns its progress.

    Raises:
        CalledProcessError: If the command fails.
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


def fit_slope(samples: Sequence[tuple[int, float]], /) -> float:
    """Return the kilobytes that each further image takes: a least-squares line without the first third.

    The first third is left out because what is loaded once, at the start, is not growth. NaN with fewer than
    two different counts of images.

    Args:
        samples: Number of finished images, and MB.
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
        now = {number: _read_resident(number) for number in _list_family(process.pid)}
        marks |= {number: max(marks.get(number, 0.0), mark) for number, (mark, _) in now.items() if mark}
        if now.get(process.pid, (0.0, 0.0))[1]:
            main = now.pop(process.pid)[1]
            samples.append(Sample(done=done(), main=main, others=sum(size for _, size in now.values())))
        time.sleep(_EVERY)


def _list_family(number: int) -> list[int]:
    found = list[str]()
    for path in Path(f"/proc/{number}/task").glob("*/children"):
        try:
            found += path.read_text(encoding="ascii").split()
        except OSError:  # the thread has ended
            continue
    return [number, *(one for child in found for one in _list_family(int(child)))]


def _read_resident(number: int) -> tuple[float, float]:
    """Return the high-water mark and the present memory of a process, in MB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{number}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0, 0.0
    read = dict(line.split(":", 1) for line in lines if ":" in line)
    mark, size = (int(read[name].split()[0]) * 1024 / 1e6 if name in read else 0.0 for name in _READ)
    return mark, size


_READ = ("VmHWM", "VmRSS")
