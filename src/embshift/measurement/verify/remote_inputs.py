"""Check of images on other machines against what was measured; they are read only where that is allowed."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, final

from embshift.core.errors import ImageError
from embshift.core.remote import grant_access
from embshift.core.types import ImageRecord
from embshift.core.words import count_noun, show_name
from embshift.images.contents import read_content
from embshift.measurement.session.trust import Trust
from embshift.measurement.verify.verdict import Fault

__all__ = ["RemoteInputs"]

_MOST = 512 * 2**20


@final
class RemoteInputs:
    """What the check of images on other machines has found so far.

    Args:
        trust: Whether they are read.

    Attributes:
        hashed: Images that were read and hashed.
        faults: Those that changed.
    """

    def __init__(self, trust: Trust) -> None:
        self.hashed, self.faults = 0, list[Fault]()
        self._trust, self._left, self._unread = trust, 0, list[str]()

    def check(self, record: ImageRecord, line: Mapping[str, Any], /) -> None:
        """Compare one image with the SHA-256 of what was measured.

        Args:
            record: Its record in the listing.
            line: Its member, row and sha256 in the run's tables.
        """
        if not self._trust.remote:
            self._left += 1
            return
        # As it is now, whatever the listing says of it.
        now = replace(record, etag="", length=record.length if record.is_part else -1)
        try:
            with grant_access(self._trust.access()):
                found = hashlib.sha256(read_content(now, most=_MOST)).hexdigest()
        except ImageError as error:
            if error.status == "changed":
                self._report(line, str(error))
            else:
                self._unread.append(f"{show_name(line['member'])} ({error.status})")
            return
        self.hashed += 1
        if found != line["sha256"]:
            self._report(line, f"SHA-256 was {line['sha256'][:12]}… and is {found[:12]}…")

    def _report(self, line: Mapping[str, Any], how: str) -> None:
        text = (
            f"{show_name(line['member'])} (row {line['row']}): {how}; the run's values are those of the image"
            " as it was"
        )
        self.faults.append(Fault(kind="input changed", message=text))

    def list_notes(self) -> list[str]:
        """Return what the user must know of images that were not compared."""
        notes = list[str]()
        if self._left:
            notes.append(
                f"{count_noun(self._left, 'image')} on other machines not read and not compared: anyone may"
                " have written their addresses into the listing; if you trust it, give --allow-remote"
            )
        if self._unread:
            named = ", ".join(self._unread[:3]) + (", …" if len(self._unread) > 3 else "")
            notes.append(f"{count_noun(len(self._unread), 'image')} not read and not compared: {named}")
        return notes
