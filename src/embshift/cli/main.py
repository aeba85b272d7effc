"""The entry point, which turns errors and signals into messages and exit codes."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from embshift.cli.output.terminal import (
    finish_output,
    print_message,
    replace_unknown_characters,
    silence_output,
)
from embshift.cli.parser import build_parser, parse
from embshift.core.environment import set_environment
from embshift.core.errors import ShiftError
from embshift.core.store_addresses import is_store_address

__all__ = ["main", "program"]

_INTO_FOLDERS = {"demo", "ingest", "match", "run", "sweep"}
_ON_RUNS = {"explain", "finish", "work"}
"""Commands that go on where they were stopped."""

_DEFECT, _INTERRUPTED, _TERMINATED, _NO_READER = 70, 130, 143, 141


class _Terminated(BaseException):
    """Raised at SIGTERM; unwinds as Ctrl-C does, so that workers end and nothing half-written stays."""


def program() -> NoReturn:
    """Run the command as a process, which ends with the code of `main` whatever signals come meanwhile."""
    replace_unknown_characters()
    try:
        code = main()
    except KeyboardInterrupt:  # between the end of a command and the return of its code
        code = _INTERRUPTED
    for number in (signal.SIGINT, signal.SIGTERM):
        # The interpreter restores the system's handlers some time before it ends: a late signal would turn
        # the code of a finished run into that of a killed one.
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 for success; 1 when too many images failed, or a budget is broken; 2 for wrong use or a wrong plan;
        3 when no image could be read; 4 when results could not be written; 5 when a budget is undecided; 70
        for a defect of embshift; 130 and 143 after Ctrl-C and SIGTERM.
    """
    if "_ARGCOMPLETE" in os.environ:
        from embshift.cli.commands.completion import answer_shell

        answer_shell(build_parser())
    try:
        parsed = parse(sys.argv[1:] if arguments is None else arguments)
    except ShiftError as error:
        return _fail(f"error: {error}", error.exit_code)
    except BrokenPipeError:
        silence_output()
        return _NO_READER
    except SystemExit:  # after help and version
        _finish_help()
        raise
    set_environment()
    return _carry_out(parsed)


def _finish_help() -> None:
    try:
        finish_output()
    except BrokenPipeError:
        silence_output()
        sys.exit(_NO_READER)
    except ShiftError as error:
        sys.exit(_fail(f"error: {error}", error.exit_code))


def _carry_out(parsed: argparse.Namespace) -> int:
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = _call(parsed)
        finish_output()
        return code
    except ShiftError as error:
        if parsed.verbose:
            _print_traceback()
        return _fail(f"error: {error}", error.exit_code)
    except KeyboardInterrupt:
        return _fail(f"interrupted{_continue(parsed)}", _INTERRUPTED)
    except _Terminated:
        return _fail(f"terminated{_continue(parsed)}", _TERMINATED)
    except BrokenPipeError:
        # The reader of the output has gone, e.g. `| head`; flushing the rest would raise again.
        silence_output()
        return _NO_READER
    except Exception:  # noqa: BLE001 - a defect must not end with the code of a finished run
        damage = _find_damage(parsed)
        if damage:
            return _fail(f"error: {damage}", ShiftError.exit_code)
        _print_traceback()
        return _fail("this is a defect of embshift; please report it with the lines above", _DEFECT)
    finally:
        signal.signal(signal.SIGTERM, before)


def _continue(parsed: argparse.Namespace) -> str:
    """Return how a command that was stopped goes on; empty for one that only reads."""
    command = parsed.parser.prog.rpartition(" ")[2]
    if command in _INTO_FOLDERS:
        return "; to continue, run the same command with --out of this run"
    return "; to continue, run the same command again" if command in _ON_RUNS else ""


def _call(parsed: argparse.Namespace) -> int:
    if not getattr(parsed, "allow_private", False):
        return parsed.command(parsed)
    from embshift.core.remote import allow_private_addresses  # only now: it delays every start

    with allow_private_addresses(True):
        return parsed.command(parsed)


def _find_damage(parsed: argparse.Namespace) -> str:
    """Return what is wrong with the run folder that a command has read; empty where nothing is."""
    folder = getattr(parsed, "run", None) or getattr(parsed, "out", None)
    if not isinstance(folder, str) or is_store_address(folder):  # all of it would be fetched
        return ""
    from embshift.measurement.verify import verify_run

    try:
        verdict = verify_run(folder, inputs=False)
    except Exception:  # noqa: BLE001 - the defect is reported in any case
        return ""
    if verdict.sound:
        return ""
    return f"{folder} is damaged: {verdict.faults[0].message}; see 'embshift verify {folder}'"


def _print_traceback() -> None:
    import traceback

    traceback.print_exc()


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated


def _fail(text: str, code: int) -> int:
    print_message(text)
    return code
