"""Paths as users type them: ``~``, ``file://``, quotes and backslashes, read in one way for every option."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from embshift.core.errors import UsageError

__all__ = [
    "expand_path",
    "find_path",
    "input_path",
    "is_text",
    "is_url",
    "output_file",
    "output_path",
]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_ESCAPED = re.compile(r"\\(?=[^A-Za-z0-9_])")


def is_url(path: str, /) -> bool:
    """Return whether a recorded path is an address, such as s3://bucket/key, and no file of a system."""
    return _ADDRESS.match(path) is not None


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
    from urllib.parse import unquote_to_bytes, urlsplit  # only now: it delays every start of the command

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


def input_path(path: str | os.PathLike[str], /) -> str:
    """Return the reading of a path that exists, as `find_path` does; where none does, as `expand_path` does.

    Raises:
        UsageError: If it is empty, or the address of another machine.
    """
    if not os.fspath(path):
        raise UsageError(f"{path!r} is no path; expected that of a file or folder")
    try:
        found = find_path(path)
    except OSError:  # whoever opens it says what is wrong
        found = None
    return expand_path(path) if found is None else found


def output_path(path: str | os.PathLike[str], /) -> Path:
    """Return the path of what is to be written, with ``~``, ``file://`` and quotes around it resolved.

    Raises:
        UsageError: If it is empty, an address of another machine, or nothing that can be a path; or if it is
            not text, since Arrow opens no such file.
    """
    if not isinstance(path, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"an output path is a {type(path).__name__}; expected a string or a Path")
    text = os.fsdecode(path)
    if not text or "\0" in text:
        raise UsageError(f"{text!r} cannot be written to; expected a path")
    plain = expand_path(text if os.path.lexists(text) and not text.startswith("~/") else _unquote(text))
    if plain.startswith("~") and not os.path.lexists(plain):
        user = plain.split("/")[0]
        raise UsageError(
            f"'{text}': there is no user {user[1:]!r}; for a folder of that name give './{text}'"
        )
    if not is_text(plain):
        raise UsageError(f"{plain!r} is not text in UTF-8, which results need; give another path")
    return Path(plain)


def is_text(path: str | os.PathLike[str], /) -> bool:
    """Return whether a path is text; on Linux a name may be any bytes, which Python keeps as surrogates."""
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def output_file(path: str | os.PathLike[str], /) -> Path:
    """Return the path of a file that is to be written, as `output_path` does.

    Raises:
        UsageError: If it is a folder, a pipe or a device; or for a reason of `output_path`.
    """
    found = output_path(path)
    if os.path.isdir(found):
        raise UsageError(
            f"'{found}' is a folder; expected the path of a file, e.g. '{found / 'report.html'}'"
        )
    if os.path.exists(found) and not os.path.isfile(found):
        raise UsageError(f"'{found}' is not a regular file and is not replaced; give another path")
    return found
