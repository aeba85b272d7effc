"""Entry point: one place turns errors and signals into messages and exit codes."""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from embshift.cli.parser import build_parser
from embshift.cli.terminal import harmless
from embshift.core.errors import ShiftError

__all__ = ["main", "program"]

_DEFECT, _INTERRUPTED, _TERMINATED, _NO_READER = 70, 130, 143, 141

_ENVIRONMENT = {
    # No library may ask a server for news.
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # Threads that wait by spinning take the cores from the workers: ten times slower on busy machines.
    "OMP_WAIT_POLICY": "PASSIVE",
    # Arrow's own pool keeps what a chunk took to be written, beside the encoder's batches: a twentieth more.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""What the libraries read when they are imported, so it is set before; the user's own values stand."""


class _Terminated(BaseException):
    """SIGTERM came: unwinds like Ctrl-C, so that workers end and nothing half-written stays."""


def program() -> NoReturn:
    """The command as a process, which ends with the code of `main` whatever comes while it ends."""
    try:
        code = main()
    except KeyboardInterrupt:  # between an answer and its return
        code = _INTERRUPTED
    for number in (signal.SIGINT, signal.SIGTERM):
        # The interpreter takes a while to end and gives signals back to the system before: a late one would
        # turn the code of a finished run into that of a killed one.
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 for success; 1 when too many pictures failed; 2 for wrong use or a wrong plan; 3 when nothing was
        readable; 4 when results could not be written; 70 for a defect of embshift; 130 and 143 after
        Ctrl-C and SIGTERM.
    """
    parsed = build_parser().parse_args(arguments)
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        return parsed.command(parsed)
    except ShiftError as error:
        if parsed.verbose:
            traceback.print_exc()
        return _say(f"error: {error}", error.exit_code)
    except KeyboardInterrupt:
        return _say("interrupted; the same command with --out of this run continues from here", _INTERRUPTED)
    except _Terminated:
        return _say("terminated; the same command with --out of this run continues from here", _TERMINATED)
    except BrokenPipeError:
        # The reader of our output has gone, e.g. `| head`; what is left to flush would raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NO_READER
    except Exception:  # noqa: BLE001 - a defect of ours must not end with the code of a finished run
        traceback.print_exc()
        return _say("this is a defect of embshift; please report it with the lines above", _DEFECT)
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated


def _say(text: str, code: int) -> int:
    print(harmless(text), file=sys.stderr)
    return code
