"""Paths as users type them: ``~``, ``file://``, quotes and backslashes, read in one way for every option."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from embshift.core.errors import UsageError

__all__ = ["expand_path", "find_path", "output_path"]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_ESCAPED = re.compile(r"\\(?=[^A-Za-z0-9_])")


def expand_path(path: str | os.PathLike[str], /) -> str:
    """Return a path with ``~`` and ``file://`` resolved; another path is returned as it is.

    Args:
        path: The path; ``~`` and a name that is no user's stay as they are.

    Raises:
        UsageError: If it is the address of another machine.
    """
    path = os.fsdecode(path)
    if path.lower().startswith("file:/"):
        return _read_address(path)
    if _ADDRESS.match(path):
        raise UsageError(f"'{path}' is an address; expected a path on this machine: download it first")
    return os.path.expanduser(path)


def _read_address(address: str) -> str:
    """Return the path in a ``file:`` address, in which bytes may be written as "%20"."""
    parts = urlsplit(address.replace("?", "%3F").replace("#", "%23"))
    if parts.netloc not in ("", "localhost"):
        raise UsageError(f"'{address}' names the machine '{parts.netloc}'; expected file:///path/on/this/one")
    return os.fsdecode(unquote_to_bytes(os.fsencode(parts.path)))


def find_path(path: str | os.PathLike[str], /, *, below: str | os.PathLike[str] = "") -> str | None:
    """Return the first reading of a path that exists; None if none does.

    The path is read literally, then as `expand_path` does, without quotes around it, without backslashes that
    quote, and with backslashes that separate folders.

    Args:
        path: The path.
        below: The folder that a relative path starts from; the working folder where empty.

    Raises:
        UsageError: If it is the address of another machine.
        OSError: If the system refuses the name, e.g. as too long.
    """
    for reading in _list_readings(os.fsdecode(path)):
        found = os.path.join(below, reading)
        if reading and _exists(found):
            return found
    return None


def _exists(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL, which no name holds
        return False
    return True


def _list_readings(text: str) -> Iterator[str]:
    if not text.startswith(("~/", "file:")):
        yield text
    both = dict.fromkeys((text, _unquote(text)))
    yield from (expand_path(one) for one in both)
    if "\\" in text:
        yield from (expand_path(_ESCAPED.sub("", one)) for one in both)
        yield from (one.replace("\\", "/") for one in both)


def _unquote(text: str) -> str:
    """Return a text without the quotes around it."""
    return text[1:-1] if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'" else text


def output_path(path: str | os.PathLike[str], /) -> Path:
    """Return the path of what is to be written, with ``~``, ``file://`` and quotes around it resolved.

    Raises:
        UsageError: If it is empty, an address of another machine, or nothing that can be a path.
    """
    if not isinstance(path, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"an output path is a {type(path).__name__}; expected a string or a Path")
    text = os.fsdecode(path)
    if not text or "\0" in text:
        raise UsageError(f"{text!r} cannot be written to; expected a path")
    plain = expand_path(text if _exists(text) and not text.startswith("~/") else _unquote(text))
    if plain.startswith("~") and not _exists(plain):
        user = plain.split("/")[0]
        raise UsageError(
            f"'{text}': there is no user {user[1:]!r}; for a folder of that name give './{text}'"
        )
    return Path(plain)
