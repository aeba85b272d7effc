"""What a long run takes of memory, and how soon a finished one answers."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.finished import write_finished
from benchmarks.pictures import write_pictures
from benchmarks.resident import Memory, memory_of, slope
from benchmarks.setting import Setting
from benchmarks.taking import Figure, seconds
from embshift.measurement.plan.plan import CHUNK

__all__ = ["STAGES", "memory", "resume"]

_SHORT, _SIDE = 64, 96
"""Pictures of the short run; a side in pixels, small so that pictures weigh little beside the rest."""


def memory(setting: Setting) -> list[Figure]:
    """Greatest memory of a short and of a long run, and the slope within the long one."""
    pictures = write_pictures(setting.folder / "pictures", count=setting.memory)
    counts = (_SHORT, setting.memory)
    found = {count: _watched(setting, pictures[:count]) for count in counts}
    samples = found[setting.memory].samples
    return [
        *(_peak("main process", count, one.main) for count, one in found.items()),
        *(_peak("workers", count, one.others) for count, one in found.items()),
        _slope("main process", [(one.done, one.main) for one in samples]),
        _slope("workers", [(one.done, one.others) for one in samples]),
    ]


def _peak(whose: str, count: int, value: float) -> Figure:
    return Figure(stage=f"greatest memory, {whose}", way=f"{count} images", unit="MB", values=[value])


def _slope(whose: str, samples: Sequence[tuple[int, float]]) -> Figure:
    return Figure(stage="memory for each further image", way=whose, unit="KB/image", values=[slope(samples)])


def _watched(setting: Setting, pictures: Sequence[Path]) -> Memory:
    out = setting.folder / f"memory-{len(pictures)}"
    chosen = ["--views", "fast", "--workers", "1", "--image-size", str(_SIDE), "--quiet"]
    command = [*_command(pictures, out), *chosen]
    return memory_of(command, done=lambda: CHUNK * sum(1 for _ in (out / "images").glob("chunk-*.parquet")))


def resume(setting: Setting) -> list[Figure]:
    """How soon a finished run answers when it is asked again."""
    command = write_finished(setting.folder / "finished", setting.pictures, count=setting.finished)
    program = [sys.executable, "-m", "embshift", "run", *command]

    def ask() -> None:
        answer = subprocess.run(program, check=True, capture_output=True, text=True)
        if "nothing left to do" not in answer.stderr + answer.stdout:
            raise RuntimeError(f"the run was not taken for a finished one:\n{answer.stderr[-2000:]}")

    ask()  # what is read from the disk is in memory from here on
    values = [seconds(ask) for _ in range(setting.repetitions)]
    return [
        Figure(stage="finished run asked again", way=f"{setting.finished:,} images", unit="s", values=values)
    ]


def _command(pictures: Sequence[Path], out: Path) -> list[str]:
    """A run in a process of its own."""
    listed = out.with_suffix(".txt")
    listed.write_text("\n".join(str(path) for path in pictures) + "\n", encoding="utf-8")
    return [sys.executable, "-m", "embshift", "run", str(listed), "--encoder", "lite", "--out", str(out)]


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {"memory": memory, "resume": resume}
"""Stages of long runs, by the name that ``--only`` takes."""
