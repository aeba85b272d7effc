"""The command: in a process of its own, as a user starts it, or in this one, where that is all the same."""

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

COMMAND = [str(Path(sys.executable).parent / "embshift")]


def start(arguments: Sequence[str], **options) -> subprocess.Popen[str]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # Whoever started the tests in the background made them ignore SIGINT, and what they start with them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


def call(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    process = start(arguments, **options)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def invoke(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Without the seconds that a new process needs for its imports."""
    from embshift.cli import main

    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(arguments)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
