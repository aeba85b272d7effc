"""Files that hold images inside, each kind with the function that lists them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from embshift.core.types import ImageRecord
from embshift.images.archives import list_archive
from embshift.images.left_out import CACHE, SPECIAL, UNREADABLE, LeftOut

__all__ = ["list_container"]


def list_container(source: str, path: Path, *, left: LeftOut, lists: bool = True) -> Iterator[ImageRecord]:
    """Yield the images inside a file.

    Args:
        source: The SOURCE argument.
        path: The file.
        left: Counts what is left out: parts of it, or all of it where it cannot be read.
        lists: Whether a table of paths is read as a list.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would never end
            left.add(SPECIAL, str(path))
            return
        if path.suffix.lower() == ".tar":
            yield from list_archive(source, path, left=left)
        elif path.suffix.lower() == ".arrow" and path.name.startswith("cache-"):
            left.add(CACHE, str(path))
        else:
            from embshift.images.image_tables import list_table  # imports pyarrow

            yield from list_table(source, os.path.abspath(path), left=left, lists=lists)
    except OSError:
        left.add(UNREADABLE, str(path))
