"""Globs: the images that a pattern matches; two stars search folders as a folder itself is searched."""

import glob
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from embshift.images.folders import Links, is_in_run_folder, sort_key, walk_folder
from embshift.images.kinds import explain_left_out, is_container
from embshift.images.left_out import CONTAINER, IN_RUN, MATCHED_FOLDER, SHUT_FOLDER, LeftOut

__all__ = ["find_top", "list_glob", "match_parts"]


def find_top(pattern: str) -> Path | None:
    """Return the folder that a pattern with two stars is searched below; None for another pattern."""
    return _split(pattern)[0] if "**" in Path(pattern).parts else None


def _split(pattern: str) -> tuple[Path, tuple[str, ...]]:
    parts = Path(pattern).parts
    fixed = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:fixed]), parts[fixed:]


def list_glob(pattern: str, *, links: Links, left: LeftOut) -> Iterator[str]:
    """Yield the paths of the images that match, in the order of the paths' bytes.

    Archives and tables that hold images match a pattern that ends as they do.

    Args:
        pattern: With ``*``, ``?``, ``[…]`` or ``**``.
        links: The links followed so far.
        left: Counts what matches and is left out.
    """
    found = (
        _expand_deep(pattern, links=links, left=left) if find_top(pattern) else _expand(pattern, left=left)
    )
    for path in found:
        reason = explain_left_out(path)
        if reason is None or (reason is CONTAINER and is_container(pattern)):
            yield path
        else:
            left.add(reason, path)


def _expand_deep(pattern: str, *, links: Links, left: LeftOut) -> Iterator[str]:
    top, parts = _split(pattern)
    for member, is_shut in walk_folder(top, links=links, left=left):
        if is_shut:
            left.add(SHUT_FOLDER, str(top / member))
        elif match_parts(Path(member).parts, parts):
            yield str(top / member)


def _expand(pattern: str, *, left: LeftOut) -> Iterator[str]:
    top = os.path.abspath(_split(pattern)[0])
    for path in sorted(glob.glob(pattern, include_hidden=True), key=sort_key):
        if os.path.isdir(path):
            left.add(MATCHED_FOLDER, path)
        elif is_in_run_folder(os.path.dirname(os.path.abspath(path)), below=top):
            left.add(IN_RUN, path)
        else:
            yield path


def match_parts(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Return whether the parts of a path match those of a pattern; "**" stands for any number."""
    if not pattern or not path:
        return not path and all(part == "**" for part in pattern)
    if pattern[0] == "**":
        return match_parts(path, pattern[1:]) or match_parts(path[1:], pattern)
    return fnmatch(path[0], pattern[0]) and match_parts(path[1:], pattern[1:])
