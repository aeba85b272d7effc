"""Words for messages: counts with their nouns, and names that others chose."""

import re

__all__ = ["count_noun", "show_name"]

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LONGEST = 300


def count_noun(count: int, noun: str, /, plural: str = "") -> str:
    """Return a count with its noun, e.g. "1 image" or "2,000 images".

    Args:
        count: The count.
        noun: The noun in the singular.
        plural: Its plural; the noun and an "s" where empty.
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def show_name(name: str, /) -> str:
    """Return a name as messages show it: on one line, in the order of its letters, at most 300 of them.

    A member of an archive may have any name. U+FFFD stands for control characters, and for those that turn
    the direction of text.
    """
    half = _LONGEST // 2
    shown = name if len(name) <= _LONGEST else f"{name[:half]}…{name[1 - half :]}"
    return _CONTROLS.sub("\ufffd", shown)
