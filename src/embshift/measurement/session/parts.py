"""Parts of a run: chunks of a prepared run folder, measured by several processes or machines, and its end.

Parts share the folder alone. Each measures the chunks whose number leaves its own remainder, and a chunk is
the same bytes whoever measures it.
"""

import re
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from embshift.core.errors import ResumeError, RunError, UsageError
from embshift.core.progress import Reporter
from embshift.core.remote import grant_access
from embshift.core.words import count_noun
from embshift.measurement.pipeline.batches import Mishaps
from embshift.measurement.plan.files import plan_from_content
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.frozen_listing import open_listing
from embshift.measurement.session.resume import continue_plan
from embshift.measurement.session.session import Session, start_session
from embshift.measurement.session.trust import Trust, check_remote_images, check_trust
from embshift.measurement.session.work import finish_session, measure_part
from embshift.runs.listing import Listing, is_there
from embshift.runs.lock import lock_folder, share_folder
from embshift.runs.record import RECORD
from embshift.runs.tables import open_tables

__all__ = ["Part", "finish_parts", "measure_one_part", "read_part", "start_part"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a run.

    Attributes:
        number: Which part, from 0.
        count: How many parts there are.
    """

    number: int
    count: int

    def holds(self, chunk: int) -> bool:
        """Return whether a chunk belongs to this part."""
        return chunk % self.count == self.number


def read_part(text: str, /) -> Part:
    """Read a part such as "0/8", the first of eight.

    Raises:
        UsageError: If it is not of this form.
    """
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text, re.ASCII)
    if found is None or not int(found[1]) < int(found[2]):
        raise UsageError(
            f"part is {text!r}; expected I/N, the number of the part from 0 and the number of parts, e.g. 0/8"
        )
    return Part(number=int(found[1]), count=int(found[2]))


def measure_one_part(
    folder: Path, part: Part, /, *, options: Mapping[str, Any], trust: Trust, reporter: Reporter
) -> None:
    """Measure the chunks of a part that are missing; others may measure other parts meanwhile.

    Args:
        folder: The run folder, prepared by ``embshift run --prepare``.
        part: The part.
        options: Fields of the plan that this process may decide for itself; None where it leaves them open.
        trust: What of the run's record may be run.
        reporter: Who is told about the progress.

    Raises:
        ResumeError: If this machine cannot measure as the one that prepared the run, or the run is being
            finished.
        RunError: If the folder is not a prepared run, or damaged.
        UsageError: If the run cannot be measured in parts, or what it names is not trusted.
    """
    with (
        share_folder(folder),
        grant_access(trust.access()),
        start_part(folder, options, trust=trust, reporter=reporter) as session,
    ):
        _check_images(session.rows, part)
        # Smaller batches would give other bytes, and only some of the parts would have them.
        whole = replace(session, mishaps=Mishaps(may_halve=False))
        done = measure_part(whole, part.holds, reporter)
    total = sum(map(part.holds, session.rows.chunks))
    reporter.note(f"part {part.number}/{part.count}: {done:,} of {count_noun(total, 'chunk')} measured now")


def finish_parts(folder: Path, /, *, trust: Trust, reporter: Reporter) -> None:
    """Finish a run all of whose chunks are there: keep views, count, and mark it as finished.

    Raises:
        ResumeError: If chunks are missing, or a part is still being measured.
        RunError: If the folder is not a prepared run, or damaged.
    """
    with (
        lock_folder(folder),
        grant_access(trust.access()),
        start_part(folder, None, trust=trust, reporter=reporter) as session,
    ):
        missing = [chunk for chunk in session.rows.chunks if not session.sink.has(chunk)]
        if missing:
            named = ", ".join(str(chunk) for chunk in missing[:5]) + (", …" if len(missing) > 5 else "")
            raise ResumeError(
                f"{count_noun(len(missing), 'chunk')} of {len(session.rows.chunks):,} missing from {folder}"
                f" ({named}); run 'embshift work {folder} --part I/N' again for their parts, where chunk"
                " modulo N is I, then finish it"
            )
        finish_session(session, reporter)


@contextmanager
def start_part(
    folder: Path, options: Mapping[str, Any] | None, *, trust: Trust, reporter: Reporter
) -> Generator[Session]:
    """Open a session on a prepared run folder; whoever does holds the folder's lock, or knows who does.

    Args:
        folder: The run folder.
        options: As for `measure_one_part`; None for those of the record.
        trust: What of the run's record may be run.
        reporter: Who is told.

    Raises:
        ResumeError: If this process cannot measure as the one that prepared the run.
        RunError: If the folder is not a prepared run, or damaged.
        UsageError: If the run cannot be measured in parts, or what it names is not trusted.
    """
    info = open_tables(folder).info
    plan = continue_plan(_read_plan(folder, info, options, trust), info)
    with closing(open_listing(folder / "listing.parquet")) as rows:
        if rows.in_memory:
            raise UsageError(
                f"the images of {folder} were in the memory of another process; a run in parts needs files"
            )
        check_remote_images(rows, trust, where=str(folder))
        session = start_session(
            plan, info=info, rows=rows, out=folder, objects={}, encoder=None, note=reporter.note
        )
        if session.sink.fingerprint != info["fingerprint"]:
            raise ResumeError(
                f"this process would not measure as {folder} was prepared: its fingerprint is"
                f" {session.sink.fingerprint[:8]}, the run's {info['fingerprint'][:8]}; give it the same"
                " kind of device and the same batch and threads"
            )
        yield session


def _read_plan(
    folder: Path, info: Mapping[str, Any], options: Mapping[str, Any] | None, trust: Trust
) -> Plan:
    """Return the plan of the record; with options, without what another machine chose for itself."""
    if "ingested" in info:
        raise UsageError(f"{folder} is of ingested embeddings; run 'embshift ingest' again to continue it")
    plan = plan_from_content(info["plan"])
    check_trust(plan, trust, where=str(folder / RECORD))
    if options is None:
        return plan
    own = {"workers": None, "worker_memory": None, "timeout": None}
    return replace(plan, **own | {name: value for name, value in options.items() if value is not None})


def _check_images(rows: Listing, part: Part) -> None:
    """Check that the first image of the part is here: one after another would be recorded as missing."""
    first = next((row for row in rows if part.holds(row.chunk)), None)
    if first is not None and first.size >= 0 and not is_there(first.record):
        raise RunError(
            f"{first.record.path} cannot be read here, and could be where the run was prepared; mount the"
            " images under the same path"
        )
