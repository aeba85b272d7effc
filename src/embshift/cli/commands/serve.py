"""``embshift serve``: the app, from what the user names to the end of its server."""

import argparse
import os
import secrets
import shlex
import socket
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from embshift.cli.output.terminal import check_output, print_message
from embshift.core.errors import MissingExtraError, UsageError
from embshift.core.paths import input_path
from embshift.core.store_addresses import is_store_address

if TYPE_CHECKING:
    from embshift.show.app.answers.requests import Desk
    from embshift.show.app.served.run import ServedRun

__all__ = ["serve"]

_RUNS = 2


def serve(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift serve``."""
    _check_extra()
    runs = [one for one in parsed.what if _is_run(one)]
    _check_wish(parsed, runs)
    with _bind(parsed.port) as bound, _open_sides(parsed, runs) as sides:
        desk = _make_desk(parsed, sides)
        for side in () if parsed.quiet else sides:
            if side.why:
                print_message(f"note: {side.title} is not live: {side.why}")
        try:
            _serve(desk, bound, browse=not parsed.no_browser)
        except KeyboardInterrupt:  # the usual end
            if not parsed.quiet:
                print_message("stopped")
    return 0


def _check_extra() -> None:
    """Raise for a missing extra at once, before anything is measured."""
    try:
        import starlette
        import uvicorn
    except ImportError as error:
        raise MissingExtraError(error.name or "starlette", "app") from None
    del starlette, uvicorn


def _is_run(path: str) -> bool:
    from embshift.core.remote import is_remote_address
    from embshift.runs.record import RECORD  # imports pyarrow

    if is_store_address(path):
        return _is_stored_run(path)
    if is_remote_address(path):
        return False
    return os.path.lexists(Path(input_path(path)) / RECORD)


def _is_stored_run(address: str) -> bool:
    from embshift.core.stores import stat_object
    from embshift.runs.record import RECORD  # imports pyarrow

    return stat_object(f"{address.rstrip('/')}/{RECORD}") is not None


def _check_wish(parsed: argparse.Namespace, runs: Sequence[str]) -> None:
    if runs and len(runs) < len(parsed.what):
        other = next(one for one in parsed.what if one not in runs)
        raise UsageError(f"'{runs[0]}' is a run folder and '{other}' is none; give one or the other")
    if len(runs) > _RUNS:
        raise UsageError(f"{len(runs)} run folders are given; expected one or two")
    for name in ("encoder", "limit"):
        if runs and getattr(parsed, name) is not None:
            raise UsageError(
                f"--{name} is for images, and '{runs[0]}' is a run folder, which is measured already"
            )
    if parsed.limit is not None and parsed.limit < 1:
        raise UsageError(f"--limit is {parsed.limit}; expected 1 or more")
    if not 0 <= parsed.port < 2**16:
        raise UsageError(f"--port is {parsed.port}; expected 0 to 65535")


@contextmanager
def _bind(port: int) -> Generator[socket.socket]:
    """Listen on a port of this machine alone; first of all, so that a taken one is told at once."""
    from embshift.show.app.guard import ADDRESS

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((ADDRESS, port))
        except OSError as error:
            raise UsageError(
                f"port {port} cannot be used: {error.strerror}; give another --port, or none for a free one"
            ) from error
        yield bound


@contextmanager
def _open_sides(parsed: argparse.Namespace, runs: Sequence[str]) -> "Generator[list[ServedRun]]":
    from embshift.measurement.session.trust import Trust
    from embshift.measurement.studies.live.opening import open_served
    from embshift.runs.tables import open_tables

    trust = Trust(code=parsed.allow_code, remote=parsed.allow_remote)
    if runs:
        yield [open_served(open_tables(one), title=_name(one), trust=trust) for one in runs]
        return
    from embshift.cli.output.progress import reporter
    from embshift.measurement.studies.live.temporary import LIMIT, measure_for_now

    with measure_for_now(
        parsed.what,
        encoder=parsed.encoder or "lite",
        limit=parsed.limit or LIMIT,
        reporter=reporter(quiet=parsed.quiet),
    ) as run:
        # Its plan is the user's own.
        yield [open_served(run, title=_name(parsed.what[0]), trust=Trust(code=True, remote=True))]


def _name(path: str) -> str:
    from embshift.core.remote import is_remote_address

    if is_remote_address(path):
        return path.rstrip("/").split("/")[-1]
    return Path(os.path.abspath(input_path(path))).name or path


def _make_desk(parsed: argparse.Namespace, sides: "list[ServedRun]") -> "Desk":
    from embshift.show.app.answers.requests import Desk
    from embshift.show.app.places import check_same_images, find_start

    check_same_images(sides)
    start = None if parsed.at is None else find_start(sides[0], parsed.at)
    return Desk(sides=sides, command=_write_command(parsed), start=start, notes=_list_notes(sides))


def _write_command(parsed: argparse.Namespace) -> str:
    options = [f"--encoder {shlex.quote(parsed.encoder)}"] if parsed.encoder else []
    options += [f"--limit {parsed.limit}"] if parsed.limit else []
    allowed = [one for one in ("code", "remote", "private") if getattr(parsed, f"allow_{one}")]
    options += [f"--allow-{one}" for one in allowed]
    return " ".join(["embshift serve", *map(shlex.quote, parsed.what), *options])


def _list_notes(sides: "list[ServedRun]") -> list[str]:
    found = list[str]()
    for side in sides:
        left = side.run.info.get("left_out") or []
        counts = sum(int(one.get("count", 0)) for one in left if isinstance(one, dict))
        if counts:
            found.append(
                f"{counts:,} files of the sources are no images, or were left out when it was measured"
            )
    return found


def _serve(desk: "Desk", bound: socket.socket, *, browse: bool) -> None:
    from embshift.show.app.server import run_server

    port, token = bound.getsockname()[1], secrets.token_urlsafe(32)
    bound.listen(128)
    address = f"http://127.0.0.1:{port}/#token={token}"
    with check_output():
        print(address, flush=True)
    if browse and sys.stdout is not None and sys.stdout.isatty():
        import webbrowser

        webbrowser.open(address)
    run_server(desk, bound, port=port, token=token)
