"""Files that hold images inside, each kind with the function that lists them."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from embshift.core.types import ImageRecord
from embshift.images.archives import list_archive
from embshift.images.left_out import SPECIAL, UNREADABLE, LeftOut

__all__ = ["list_container"]

Lister: TypeAlias = Callable[..., Iterator[ImageRecord]]

_LISTERS: Mapping[str, Lister] = {".tar": list_archive}
"""By suffix; those of `CONTAINERS`."""


def list_container(source: str, path: Path, *, left: LeftOut) -> Iterator[ImageRecord]:
    """Yield the images inside a file.

    Args:
        source: The SOURCE argument.
        path: The file.
        left: Counts what is left out: parts of it, or all of it where it cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would never end
            left.add(SPECIAL, str(path))
            return
        yield from _LISTERS[path.suffix.lower()](source, path, left=left)
    except OSError:
        left.add(UNREADABLE, str(path))
