"""Runs end to end against the plain procedure; memory; and a finished run asked for again."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import embshift
from benchmarks.pictures import write_pictures
from benchmarks.plain import open_plain
from benchmarks.resident import peak_of
from benchmarks.stages import Setting
from benchmarks.taking import Figure, figures, interleaved, seconds

__all__ = ["end_to_end", "memory"]


_AT_ONCE = 0.05
"""Seconds within which pictures count as finished by one batch."""


class Clock:
    """Listens to a run: when its first and its last picture were done."""

    def __init__(self) -> None:
        self.begun, self.done = time.perf_counter(), list[float]()

    def note(self, text: str) -> None:
        """What the run says is not needed here."""

    def begin(self, *, total: int, done: int) -> None:
        """The run begins."""

    def advance(self, *, failed: bool) -> None:
        """A picture is done."""
        self.done.append(time.perf_counter())

    def end(self) -> None:
        """The run ends."""

    @property
    def warm_up(self) -> float:
        """Seconds before the first picture: opening the encoder, starting the workers."""
        return self.done[0] - self.begun

    @property
    def rate(self) -> float:
        """Pictures a second after the first batch, which finishes several at once."""
        first = sum(moment < self.done[0] + _AT_ONCE for moment in self.done)
        return (len(self.done) - first) / (self.done[-1] - self.done[0])


def end_to_end(setting: Setting) -> list[Figure]:
    """Whole runs on as many pictures as the plain procedure gets, and others in every repetition."""
    plain = open_plain(setting.encoder)
    plain.run(setting.pictures[:1])
    plain.seconds.clear()
    warm_ups: dict[str, list[float]] = {}

    def plain_rate(repetition: int) -> float:
        block = _block(setting, repetition)
        return len(block) / seconds(lambda: plain.run(block))

    def rate(way: str, options: dict[str, Any], repetition: int) -> float:
        clock = _run(setting, _block(setting, repetition), options)
        warm_ups.setdefault(way, []).append(clock.warm_up)
        return clock.rate

    fast = {"views": "fast", "decode": "scaled"}
    ways: dict[str, dict[str, Any]] = {"full, reference": {}, "scaled, fast": fast}
    if setting.options:
        ways["scaled, fast, " + ", ".join(map(str, setting.options.values()))] = fast | dict(setting.options)
    calls = {way: partial(rate, way, options) for way, options in ways.items()}
    taken = interleaved({"plain": plain_rate, **calls}, repetitions=setting.repetitions, warm=False)
    made = figures("end to end", taken, unit="images/s", against="plain")
    phases = ", ".join(f"{name} {spent:.1f} s" for name, spent in plain.seconds.items())
    made = [replace(each, note=phases) if each.way == "plain" else each for each in made]
    return made + [
        Figure(stage="before the first picture", way=way, unit="s", values=values)
        for way, values in warm_ups.items()
    ]


def memory(setting: Setting) -> list[Figure]:
    """Peak memory of a short and a long run, and how soon the finished long run answers when asked again."""
    pictures = write_pictures(setting.folder / "pictures", count=setting.memory)
    found = list[Figure]()
    for count in (64, setting.memory):
        out = setting.folder / f"memory-{count}"
        peaks = [peak_of(_command(pictures[:count], out))]
        found.append(Figure(stage="peak memory", way=f"{count} images", unit="MB", values=peaks))
    again = [
        seconds(lambda: subprocess.run(_command(pictures, out), check=True, stdout=subprocess.DEVNULL))
        for _ in range(setting.repetitions)
    ]
    return [
        *found,
        Figure(stage="finished run asked again", way=f"{setting.memory} images", unit="s", values=again),
    ]


def _block(setting: Setting, repetition: int) -> Sequence[Path]:
    start = repetition * setting.plain % max(1, len(setting.pictures) - setting.plain + 1)
    return setting.pictures[start : start + setting.plain]


def _run(setting: Setting, paths: Sequence[Path], options: dict[str, Any]) -> Clock:
    clock = Clock()
    workers = max(1, (os.cpu_count() or 1) - 1)
    with TemporaryDirectory(dir=setting.folder) as out:
        embshift.measure(
            [str(path) for path in paths],
            encoder=str(setting.encoder),
            out=Path(out) / "run",
            workers=workers,
            device="cpu",
            reporter=clock,
            **options,
        )
    return clock


def _command(paths: Sequence[Path], out: Path) -> list[str]:
    """A run in a process of its own."""
    listed = out.with_suffix(".txt")
    listed.write_text("\n".join(str(path) for path in paths) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "embshift", "run", str(listed), "--encoder", "lite", "--out", str(out)]
    chosen = ["--views", "fast", "--workers", "1", "--image-size", "96", "--quiet"]
    return [*command, *chosen]
