"""The actor: opens a run's session as ``embshift work`` does, and measures the chunks that it is given.

Imports nothing of Ray, and nothing heavy before it is opened.
"""

import os
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

from embshift.core.environment import set_environment
from embshift.core.errors import RunError, ShiftError
from embshift.core.remote import NO_ACCESS, Access, grant_access
from embshift.measurement.cluster.items import Item

if TYPE_CHECKING:  # imports torch
    from embshift.measurement.engine.local import Work
    from embshift.measurement.session.session import Session

__all__ = ["Measurer", "Order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What every actor of a run is told.

    Attributes:
        folder: The run folder: an absolute path, or an address in a store.
        own: Workers, and what one image may take; None where the actor decides.
        path: The driver's import path; folders that are not here are left out.
        access: What the driver may read from other machines.
    """

    folder: str
    own: Mapping[str, Any]
    path: Sequence[str]
    access: Access = NO_ACCESS


@final
class Measurer:
    """One actor of a run, held open.

    Every method answers with a small dictionary; an error is an answer as well, so that it is told once and
    in its own words.

    Args:
        order: What every actor is told.
    """

    def __init__(self, order: Order) -> None:
        self._order, self._held = order, ExitStack()
        self._session: Session | None = None

    def open(self) -> dict[str, Any]:
        """Open the encoder and the listing, and start the workers."""
        return _answer(self._open, self._order.access)

    def measure(self, item: Item) -> dict[str, Any]:
        """Measure a chunk and commit it, or try some of its images."""
        return _answer(lambda: self._measure(item), self._order.access)

    def _open(self) -> dict[str, Any]:
        self._find_session()
        return {"process": os.getpid()}

    def _find_session(self) -> "Session":
        if self._session is None:
            self._session = self._start_session()
        return self._session

    def _start_session(self) -> "Session":
        set_environment()
        _find_modules(self._order.path)
        # Importing torch takes seconds, and libraries read the environment meanwhile.
        from embshift.measurement.engine.local import hold_workers
        from embshift.measurement.session.parts import start_part
        from embshift.measurement.session.trust import Trust
        from embshift.runs.addresses import run_path

        # The driver has carried out this plan, so that it was trusted there.
        trust = Trust(code=True, remote=True)
        with ExitStack() as held:
            part = start_part(run_path(self._order.folder), self._order.own, trust=trust, reporter=Counted())
            session = held.enter_context(part)
            work = held.enter_context(hold_workers(session.work))
            self._held = held.pop_all()
        return replace(session, work=work)

    def _measure(self, item: Item) -> dict[str, Any]:
        session = self._find_session()
        if item.trial:
            _try_images(session, item)
            return {}
        counted = Counted()
        if not session.sink.has(item.chunk):
            _check_images(session, item)
            counted = _commit_chunk(session, item)
        return {"images": item.count, "failed": counted.failed, "float32": counted.float32}


@dataclass(slots=True, kw_only=True)
class Counted:
    """Receives the progress of a chunk, and counts.

    Attributes:
        failed: Images that could not be used.
        float32: Views that were encoded in float32.
    """

    failed: int = 0
    float32: int = 0

    def note(self, text: str) -> None:
        """Show nothing: the driver has said it."""

    def begin(self, *, total: int, done: int) -> None:
        """Show nothing."""

    def advance(self, *, failed: bool) -> None:
        """Count a failed image."""
        self.failed += failed

    def end(self) -> None:
        """Show nothing."""


def _commit_chunk(session: "Session", item: Item) -> Counted:
    from embshift.measurement.pipeline.batches import Mishaps
    from embshift.measurement.session.work import measure_rows

    # Smaller batches would give other bytes, and only some of the actors would have them.
    whole = replace(session, work=_work_on(session.work, item), mishaps=Mishaps(may_halve=False))
    counted = Counted()
    measure_rows(whole, session.rows[item.first : item.first + item.count], counted)
    counted.float32 = whole.mishaps.float32
    return counted


def _try_images(session: "Session", item: Item) -> None:
    """Make and encode the views of some images, and write nothing."""
    from embshift.measurement.engine.local import encode_images
    from embshift.measurement.pipeline.batches import Mishaps

    rows = session.rows[item.first : item.first + item.count]
    mishaps = Mishaps(may_halve=False)
    for _ in encode_images(rows, work=_work_on(session.work, item), see=lambda _: None, mishaps=mishaps):
        pass


def _work_on(work: "Work", item: Item) -> "Work":
    alone = item.isolated and not work.workers
    return replace(work, deadly=frozenset(item.deadly), workers=1 if alone else work.workers)


def _check_images(session: "Session", item: Item) -> None:
    """Check that an image of the chunk is here: otherwise all would be recorded as missing, one by one."""
    from embshift.runs.listing import is_there

    listed = [row for row in session.rows[item.first : item.first + item.count] if row.size >= 0]
    if listed and not any(is_there(row.record) for row in listed):
        raise RunError(
            f"{listed[0].record.path} and the rest of chunk {item.chunk} cannot be read here, and could be"
            " where the run was listed; mount the images under the same path"
        )


def _find_modules(path: Sequence[str]) -> None:
    """Let modules be imported as in the driver; the working folder stands last, as in its workers."""
    from embshift.measurement.engine.worker_handle import order_path

    more = [entry for entry in path if entry not in sys.path and os.path.exists(entry or os.curdir)]
    sys.path[:] = order_path([*sys.path, *more])


def _answer(do: Callable[[], dict[str, Any]], access: Access) -> dict[str, Any]:
    try:
        with grant_access(access):
            return do()
    except ShiftError as error:
        return {"error": str(error), "kind": type(error).__name__, "where": _name_machine()}
    except Exception:  # noqa: BLE001 - a defect, which the driver raises
        return {"defect": traceback.format_exc(), "where": _name_machine()}


def _name_machine() -> str:
    with suppress(OSError):
        return socket.gethostname()
    return "an unnamed machine"
