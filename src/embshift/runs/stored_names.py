"""Names of the objects that embshift writes below a run's address; no other object is ever read.

Anyone may have filled a bucket: a name decides where a copy is written on this machine.
"""

import re

from embshift.runs.explained_schema import EXPLAINED, FOLDER, TEXTS, TEXTS_RECORD
from embshift.runs.explained_schema import RECORD as EXPLAINED_RECORD
from embshift.runs.schema import TABLES

__all__ = ["AREAS", "TOP", "is_chunk", "is_own"]

TOP = ("run.json", "plan.toml", "listing.parquet", "match.json")
"""Objects at the top of a run."""

AREAS = (*TABLES, "views", FOLDER)
"""Folders below a run."""

_LONGEST = 255  # bytes that a name may have on common file systems
_CHUNK = re.compile(r"chunk-(?:[0-9]{6}|[1-9][0-9]{6,11})\.parquet")
_PLAIN = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")


def is_own(names: tuple[str, ...]) -> bool:
    """Return whether an object of these names, from the run's folder down, is one that embshift writes."""
    if len(names) == 1:
        return names[0] in TOP
    if is_chunk(names):
        return True
    if names[0] == "views":
        return len(names) == 3 and all(map(_is_plain, names[1:])) and names[2].endswith(".png")
    return names[0] == FOLDER and names[1:] in ((EXPLAINED_RECORD,), (TEXTS,), (TEXTS_RECORD,))


def is_chunk(names: tuple[str, ...]) -> bool:
    """Return whether the names are those of a chunk's file, which never changes once it is written."""
    tables = EXPLAINED if names[0] == FOLDER else TABLES
    within = names[1:] if names[0] == FOLDER else names
    return len(within) == 2 and within[0] in tables and _CHUNK.fullmatch(within[1]) is not None


def _is_plain(name: str) -> bool:
    return _PLAIN.fullmatch(name) is not None and len(name.encode("utf-8", "replace")) <= _LONGEST
