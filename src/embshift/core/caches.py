"""The folder in which results are kept that cost time to make or to fetch again."""

import os
from pathlib import Path

__all__ = ["CACHE", "find_cache"]

CACHE = "EMBSHIFT_CACHE"
"""Environment variable that names the folder; "off" stands for none."""


def find_cache(kind: str, /) -> Path | None:
    """Return the folder of one kind of kept results; None where it is switched off, or there is no home.

    Args:
        kind: Name of the folder below that of all kinds, e.g. "runs".
    """
    given = os.environ.get(CACHE, "")
    if given.lower() == "off":
        return None
    own, shared = given, os.environ.get("XDG_CACHE_HOME")
    place = os.path.expanduser(own or os.path.join(shared or os.path.join("~", ".cache"), "embshift"))
    # Without a home, "~" stays as it is.
    return None if place.startswith("~") else Path(os.path.realpath(place)) / kind
