"""Stages of long runs: their memory, and how soon a finished run answers."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.finished_run import write_finished_run
from benchmarks.images import write_images
from benchmarks.memory import Memory, fit_slope, watch_memory
from benchmarks.setting import Setting
from benchmarks.timing import Figure, time_call
from embshift.measurement.plan.plan import CHUNK

__all__ = ["STAGES", "measure_memory", "measure_resume"]

_SHORT, _SIDE = 64, 96
"""Images of the short run; their side in pixels, small so that pixels need little memory."""


def measure_memory(setting: Setting) -> list[Figure]:
    """Measure the peak memory of a short and of a long run, and the growth within the long one."""
    images = write_images(setting.folder / "images", count=setting.memory)
    counts = (_SHORT, setting.memory)
    found = {count: _watch_run(setting, images[:count]) for count in counts}
    samples = found[setting.memory].samples
    return [
        *(_peak_figure("main process", count, one.main) for count, one in found.items()),
        *(_peak_figure("workers", count, one.others) for count, one in found.items()),
        _slope_figure("main process", [(one.done, one.main) for one in samples]),
        _slope_figure("workers", [(one.done, one.others) for one in samples]),
    ]


def _peak_figure(whose: str, count: int, value: float) -> Figure:
    return Figure(stage=f"greatest memory, {whose}", way=f"{count} images", unit="MB", values=[value])


def _slope_figure(whose: str, samples: Sequence[tuple[int, float]]) -> Figure:
    return Figure(
        stage="memory for each further image", way=whose, unit="KB/image", values=[fit_slope(samples)]
    )


def _watch_run(setting: Setting, images: Sequence[Path]) -> Memory:
    out = setting.folder / f"memory-{len(images)}"
    chosen = ["--views", "fast", "--workers", "1", "--image-size", str(_SIDE), "--quiet"]
    command = [*_write_command(images, out), *chosen]
    return watch_memory(
        command, done=lambda: CHUNK * sum(1 for _ in (out / "images").glob("chunk-*.parquet"))
    )


def measure_resume(setting: Setting) -> list[Figure]:
    """Measure how soon a finished run answers when it is asked again."""
    command = write_finished_run(setting.folder / "finished", setting.images, count=setting.finished)
    program = [sys.executable, "-m", "embshift", "run", *command]

    def ask() -> None:
        answer = subprocess.run(program, check=True, capture_output=True, text=True)
        if "nothing left to do" not in answer.stderr + answer.stdout:
            raise RuntimeError(f"the run was not recognised as finished:\n{answer.stderr[-2000:]}")

    ask()  # from here on, what is read is in the disk cache
    values = [time_call(ask) for _ in range(setting.repetitions)]
    return [
        Figure(stage="finished run asked again", way=f"{setting.finished:,} images", unit="s", values=values)
    ]


def _write_command(images: Sequence[Path], out: Path) -> list[str]:
    """Write a list of the images, and return the command that measures them."""
    listed = out.with_suffix(".txt")
    listed.write_text("\n".join(str(path) for path in images) + "\n", encoding="utf-8")
    return [sys.executable, "-m", "embshift", "run", str(listed), "--encoder", "lite", "--out", str(out)]


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {
    "memory": measure_memory,
    "resume": measure_resume,
}
"""Stages of long runs, by their name for ``--only``."""
