"""Text, JSON and TOML files from outside: regular files alone are read, and nesting has an end."""

import codecs
import json
import os
import stat
import tomllib
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

__all__ = [
    "describe_kind",
    "load_json",
    "load_toml",
    "parse_json",
    "parse_toml",
    "read_text",
    "read_typed_text",
]

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFREG: "a file",
}


def describe_kind(mode: int) -> str:
    """Return what a name leads to, e.g. "a pipe"; ``mode`` is as in `os.stat`."""
    return _KINDS.get(stat.S_IFMT(mode), "not a file")


def read_text(path: Path) -> str:
    """Read a regular file as UTF-8; anything else raises at once, since a pipe may never end.

    Raises:
        OSError: If it cannot be read, or is not a regular file.
        ValueError: If it is not UTF-8, or no file can have this name.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # the system itself says what a folder is
        raise OSError(0, f"it is {describe_kind(mode)}, not a regular file", str(path))
    return path.read_text(encoding="utf-8")


def read_typed_text(path: Path) -> str:
    """Read a text that a user wrote or exported: UTF-8 with or without a byte-order mark, or UTF-16 with one.

    Line ends stay as they are.

    Raises:
        OSError: As in `read_text`.
        ValueError: If it is in neither encoding; the message says what to do.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(0, f"it is {describe_kind(mode)}, not a regular file", str(path))
    data = path.read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line} is not {error.encoding}; save the file as UTF-8") from None


def load_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        OSError: As in `read_text`.
        ValueError: If it is not UTF-8 or not JSON, or is nested too deeply.
    """
    return parse_json(read_text(path))


def parse_json(text: str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: If it is not JSON, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None


def load_toml(source: Path | Traversable) -> dict[str, Any]:
    """Read a TOML file, which may be one of a package's own.

    Raises:
        OSError: As in `read_text`.
        ValueError: If it is not UTF-8 or not TOML, or is nested too deeply.
    """
    text = read_text(source) if isinstance(source, Path) else source.read_text(encoding="utf-8")
    return parse_toml(text)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: If it is not TOML, or is nested too deeply.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
