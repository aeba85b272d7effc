"""Files and folders of the sources that are not measured: counted and named, each with the reason."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from embshift.core.words import count_noun, show_name

__all__ = [
    "BAD_TABLE",
    "CACHE",
    "COMPRESSED",
    "CONTAINER",
    "CUT_OFF",
    "DEVICE",
    "HEIC",
    "IN_RUN",
    "LINK",
    "LONELY_TEXT",
    "LONG_TEXT",
    "MATCHED_FOLDER",
    "MEMBER_LINK",
    "NOT_AN_IMAGE",
    "NO_IMAGES",
    "ODD_MEMBER",
    "ODD_NAME",
    "OTHER_FORMAT",
    "OUTSIDE",
    "RAW",
    "REPEATED",
    "RUN_FOLDER",
    "SAME_ID",
    "SHUT_FOLDER",
    "SPARSE",
    "SPECIAL",
    "UNREADABLE",
    "UNREADABLE_TEXT",
    "LeftOut",
    "Reason",
]


class Reason(NamedTuple):
    """Why something is left out.

    Attributes:
        noun: What it is: "file", "folder" or "link".
        why: The reason, and what the user can do.
        is_note: Whether it is kept all the same, and only told.
    """

    noun: str
    why: str
    is_note: bool = False


NOT_AN_IMAGE = Reason("file", "not an image")
HEIC = Reason("file", "HEIC, which is not read; convert it to JPEG or PNG, e.g. with the package pillow-heif")
OTHER_FORMAT = Reason("file", "an image format that is not read; convert it to PNG or JPEG")
RAW = Reason("file", "a camera's raw file, which is not read; convert it to TIFF, PNG or JPEG")
SPECIAL = Reason("file", "not a regular file")
UNREADABLE = Reason("file", "cannot be read")
ODD_NAME = Reason("file", "a name that holds an empty part, '.', '..' or a control character")
RUN_FOLDER = Reason("folder", "a run folder, which holds results of embshift")
SHUT_FOLDER = Reason("folder", "cannot be read")
IN_RUN = Reason("file", "in a run folder, which holds results of embshift")
CONTAINER = Reason(
    "file", "an archive or a table, which is read only as a source of its own, e.g. 'folder/*.tar'"
)
COMPRESSED = Reason(
    "file",
    "a compressed archive, of which no member can be read alone; unpack it to a .tar first, e.g. gunzip",
)
CUT_OFF = Reason("archive", "damaged or cut off; what it holds up to there is listed, the rest is not")
DEVICE = Reason("member", "a device or a pipe")
MEMBER_LINK = Reason("member", "a link, whose target is measured where it is stored")
SPARSE = Reason("member", "stored with holes, which is not read; pack it again without --sparse")
ODD_MEMBER = Reason("member", "of a kind or with a header that is not read; pack it again")
OUTSIDE = Reason("member", "its name is empty or leads out of the archive")
LONELY_TEXT = Reason(
    "text", "stands beside no image; in an archive the members of a sample follow each other"
)
UNREADABLE_TEXT = Reason("text", "not UTF-8, not JSON, or too long; what it says of its image is not used")
NO_IMAGES = Reason("table", "no column holds images: bytes, or a structure with a field 'bytes'")
BAD_TABLE = Reason("table", "cannot be read, or not further")
CACHE = Reason("file", "a cache of the library datasets; only the data set itself is read")
REPEATED = Reason("line", "names an image that an earlier line names, whose caption, label and id count")
LONG_TEXT = Reason(
    "line", "its caption, label or id takes more than 32,768 bytes and is not used", is_note=True
)
SAME_ID = Reason("line", "its id is that of an earlier line, too", is_note=True)
LINK = Reason("link", "leads to a folder that is searched anyway, or to one above it")
MATCHED_FOLDER = Reason("folder", "matched by a glob, which takes files; give the folder itself, or use **")

_NAMED = 5


@dataclass(slots=True, kw_only=True)
class LeftOut:
    """What a listing has left out so far; it is filled while the listing is made."""

    _counts: dict[Reason, int] = field(default_factory=dict[Reason, int])
    _first: dict[Reason, list[str]] = field(default_factory=dict[Reason, list[str]])

    def add(self, reason: Reason, member: str) -> None:
        """Count one file or folder.

        Args:
            reason: Why it is left out.
            member: Its path below the source.
        """
        self._counts[reason] = self._counts.get(reason, 0) + 1
        if self._counts[reason] <= _NAMED:
            self._first.setdefault(reason, []).append(show_name(member))

    def join(self, other: "LeftOut") -> None:
        """Count what another listing has left out as well."""
        for reason, count in other._counts.items():
            self._counts[reason] = self._counts.get(reason, 0) + count
            self._first[reason] = [*self._first.get(reason, ()), *other._first[reason]][:_NAMED]

    def lines(self) -> Iterator[str]:
        """Yield one line for each reason, the most frequent first; also for what is kept and told."""
        for reason, count in self._sorted():
            named = self._first[reason]
            more = f" and {count - len(named):,} more" if count > len(named) else ""
            left = f"{count_noun(count, reason.noun)} {'kept' if reason.is_note else 'left out'}"
            yield f"{left}: {reason.why} ({', '.join(named)}{more})"

    def content(self) -> list[dict[str, Any]]:
        """Return the counts ready for JSON: kind, reason, count and the first names."""
        return [
            {"kind": reason.noun, "reason": reason.why, "count": count, "first": self._first[reason]}
            for reason, count in self._sorted()
            if not reason.is_note
        ]

    def _sorted(self) -> list[tuple[Reason, int]]:
        return sorted(self._counts.items(), key=lambda one: -one[1])
