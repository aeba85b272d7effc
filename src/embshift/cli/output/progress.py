"""Progress of a run on standard error: a bar on a terminal, lines elsewhere, nothing with ``--quiet``."""

import time
from typing import final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from embshift.cli.output.rate import Rate, format_left
from embshift.cli.output.terminal import harmless, print_message
from embshift.core.progress import Reporter, Silent
from embshift.show.text.markup import open_console

__all__ = ["reporter"]

_EVERY = 10.0  # seconds between plain lines


def reporter(*, quiet: bool) -> Reporter:
    """Return the reporter that suits standard error."""
    console = open_console(stderr=True)
    if quiet:
        return Silent()
    return _Bar(console) if console.is_terminal else _Lines()


@final
class _Bar:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("measuring"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left {task.fields[left]}"),
            TextColumn("{task.fields[failed]}"),
            console=console,
        )
        self._failed = 0

    def note(self, text: str) -> None:
        self._console.print(harmless(text), soft_wrap=True)

    def begin(self, *, total: int, done: int) -> None:
        self._task = self._progress.add_task("", total=total, completed=done, rate="", left="…", failed="")
        self._left, self._rate = total - done, Rate()
        self._progress.start()

    def advance(self, *, failed: bool) -> None:
        now = time.monotonic()
        self._left -= 1
        self._failed += failed
        self._rate.advance(now=now)
        rate = self._rate.measure(now=now)
        self._progress.update(
            self._task,
            advance=1,
            rate="" if rate is None else f"{rate:.1f} images/s",
            left=format_left(self._rate.estimate_left(self._left, now=now)),
            failed=f"{self._failed:,} failed" if self._failed else "",
        )

    def end(self) -> None:
        self._progress.stop()


@final
class _Lines:
    def note(self, text: str) -> None:
        print_message(text)

    def begin(self, *, total: int, done: int) -> None:
        self._total, self._before, self._done, self._failed = total, done, 0, 0
        self._started = self._shown = time.monotonic()
        self._rate = Rate()

    def advance(self, *, failed: bool) -> None:
        now = time.monotonic()
        self._done += 1
        self._failed += failed
        self._rate.advance(now=now)
        if now - self._shown >= _EVERY:
            self._shown = now
            rate = self._rate.measure(now=now)
            left = format_left(self._rate.estimate_left(self._total - self._before - self._done, now=now))
            self._print("" if rate is None else f", {rate:.1f} images/s, {left} left")

    def end(self) -> None:
        rate = self._done / max(time.monotonic() - self._started, 1e-9)
        self._print(f", {rate:.1f} images/s")

    def _print(self, rate: str) -> None:
        finished = self._before + self._done
        failed = f", {self._failed:,} failed" if self._failed else ""
        self.note(f"{finished:,} of {self._total:,} images{rate}{failed}")
