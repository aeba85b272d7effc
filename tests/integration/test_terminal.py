"""What a person sees on a terminal, through a pseudo-terminal of a given width."""

import contextlib
import os
import pty
import re
import subprocess

import pytest

from tests.integration.command import COMMAND


def shown(*arguments: str, columns: int) -> str:
    """All that a command writes to a terminal so wide, without colours."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "50", "TERM": "xterm"}
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdout=theirs, stderr=subprocess.DEVNULL, env=environment
    )
    os.close(theirs)
    written = bytearray()
    try:
        while block := os.read(ours, 65536):
            written += block
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode("utf-8"))


@pytest.mark.parametrize(("columns", "stacked"), [(200, False), (110, True), (60, True)])
def test_a_narrow_terminal_cuts_no_number(lite_run, columns, stacked):
    text = shown("summarise", str(lite_run.folder), columns=columns)
    assert "…" not in text
    summary = lite_run.summary()
    for row in summary.rows:
        for cell in row.cells.values():
            if abs(cell.mean) < 10:
                assert f"{cell.mean:.4f}" in text
    for word in ("random_brightness_contrast", "overall", "rank", "▲", "▼"):
        assert word in text
    assert (" ±" not in text.replace("mean ± standard", "").replace("  ±", "")) == stacked


def test_a_report_says_which_step_is_under_way(lite_run, tmp_path):
    ours, theirs = pty.openpty()
    command = [*COMMAND, "report", str(lite_run.folder), "--out", str(tmp_path / "page.html")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    written = bytearray()
    with contextlib.suppress(OSError):  # Linux says so when the other end is closed
        while block := os.read(ours, 65536):
            written += block
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    shown = written.decode("utf-8").split("\r\x1b[K")
    assert {"report: intervals and ranks", "report: retrieval", "report: images"} <= set(shown)
    assert shown[-1] == ""  # nothing stays on the terminal
    assert out.decode() == f"{tmp_path / 'page.html'}\n"
