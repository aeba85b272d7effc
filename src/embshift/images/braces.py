"""Numbered files written as a range in braces, such as ``shard-{000..099}.tar``."""

import re
from collections.abc import Iterator
from itertools import product

from embshift.core.errors import PlanError

__all__ = ["expand_braces"]

_RANGE = re.compile(r"\{([0-9]{1,9})\.\.([0-9]{1,9})\}")
_MOST = 1_000_000  # paths that one source may stand for


def expand_braces(text: str, /) -> Iterator[str]:
    """Yield the paths that a text with ranges stands for, in their order; the text itself if it has none.

    Numbers have the width in which the first of a range is written.

    Raises:
        PlanError: If a range runs downwards, or there are too many paths.
    """
    pieces, count = _RANGE.split(text), 1
    between, ranges = pieces[::3], list(zip(pieces[1::3], pieces[2::3], strict=True))
    for first, last in ranges:
        count *= int(last) - int(first) + 1
        if int(last) < int(first) or count > _MOST:
            raise PlanError(
                f"source '{text}' has the range {{{first}..{last}}}; expected one that runs upwards, of at"
                f" most {_MOST:,} files in all"
            )
    numbers = (
        (str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))
        for first, last in ranges
    )
    for chosen in product(*map(list, numbers)):
        yield "".join(part for pair in zip(between, (*chosen, ""), strict=True) for part in pair)
