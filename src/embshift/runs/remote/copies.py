"""What the copy on this machine holds: the object that each file is a copy of, in a file of lines.

That file stands beside the copied folder. A line is added for every copy; the last one of a name counts.
"""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple, cast

__all__ = ["Copies", "Stored"]

_FILE = "copies.jsonl"


class Stored(NamedTuple):
    """An object as the store lists it: what the store calls its content, and its bytes."""

    etag: str
    size: int


class Copies:
    """The copied files of one run.

    Args:
        folder: The folder of the copy; the file of lines stands beside it.
        trusted: Whether copies of earlier processes count; else everything is copied again.
    """

    def __init__(self, folder: Path, *, trusted: bool = True) -> None:
        self._folder, self._file = folder, folder.parent / _FILE
        self._known = _read(self._file) if trusted else {}

    def note(self, key: str, etag: str, found: os.stat_result) -> None:
        """Note that a file is the copy of an object.

        Args:
            key: The object's name below the run.
            etag: What the store calls its content.
            found: The file's state, before it has its name or after.
        """
        self._known[key] = (etag, found.st_size, found.st_mtime_ns)
        line = json.dumps([key, etag, found.st_size, found.st_mtime_ns]) + "\n"
        with self._file.open("a", encoding="utf-8") as file:  # one write: processes may share the file
            file.write(line)

    def has(self, key: str, stored: Stored) -> bool:
        """Return whether the file of an object is here, and is the object as it is listed."""
        known = self._known.get(key)
        if known is None or known[:2] != (stored.etag, stored.size):
            return False
        try:
            found = os.lstat(self._folder / key)
        except FileNotFoundError:
            return False
        return (found.st_size, found.st_mtime_ns) == known[1:]


def _read(file: Path) -> dict[str, tuple[str, int, int]]:
    known = dict[str, tuple[str, int, int]]()
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return known
    for line in lines:
        try:
            key, etag, size, changed = cast(list[Any], json.loads(line))
            known[str(key)] = (str(etag), int(size), int(changed))
        except (ValueError, TypeError):  # a line that a full disk or a crash has cut
            continue
    return known
