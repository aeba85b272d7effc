"""Facts of an image that its readers find out, and what they check by them."""

from typing import Any, TypeAlias

from embshift.core.errors import ImageError

__all__ = ["CHANGED", "Facts", "check_size"]

Facts: TypeAlias = dict[str, Any]
"""What is known of an image so far; a reader adds ``bytes``, the image's size, as soon as it knows it."""

CHANGED = "changed"
"""Status of an image whose place holds something else than when it was listed."""


def check_size(size: int, most: int, facts: Facts, *, what: str = "file") -> None:
    """Note an image's size, and check it.

    Raises:
        ImageError: If it is more than is read.
    """
    facts |= {"bytes": size}
    if size > most:
        message = f"the {what} has {size:,} bytes; at most {most:,} are read"
        raise ImageError(message, status="too_large")
