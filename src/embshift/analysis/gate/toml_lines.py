"""Lines of tables and keys in a TOML file, which the standard library's parser does not tell.

A line that looks like a header is one if everything before it is TOML by itself: inside a string of several
lines, or inside an array, it would not be.
"""

import re
import tomllib

__all__ = ["find_key", "find_tables"]

_HEADER = re.compile(r"\s*\[")


def find_tables(text: str, name: str, /) -> tuple[int, ...]:
    """Return the line of each ``[[name]]``, or of the one ``[name]``, counted from 1.

    Args:
        text: A whole TOML file.
        name: A bare name.
    """
    header = re.compile(rf"\s*(\[\[\s*{_quotable(name)}\s*\]\]|\[\s*{_quotable(name)}\s*\])\s*(#.*)?$")
    lines = _split(text)
    return tuple(at + 1 for at, line in enumerate(lines) if header.match(line) and _is_toml(lines[:at]))


def find_key(text: str, key: str, /, *, start: int) -> int:
    """Return the line of a key below a header; that of the header where it is written otherwise.

    Args:
        text: A whole TOML file.
        key: The key.
        start: The line of the header, from 1; 0 for keys above all headers.
    """
    lines, written = _split(text), re.compile(rf"\s*{_quotable(key)}\s*[.=]")
    for at in range(start, len(lines)):
        if not (written.match(lines[at]) or _HEADER.match(lines[at])) or not _is_toml(lines[:at]):
            continue
        if written.match(lines[at]):
            return at + 1
        break
    return max(start, 1)


def _split(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")


def _quotable(name: str) -> str:
    return rf"(?:{re.escape(name)}|\"{re.escape(name)}\"|'{re.escape(name)}')"


def _is_toml(lines: list[str]) -> bool:
    try:
        tomllib.loads("\n".join(lines))
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return True
