"""Images whose pixels have 16 bits and whose values use fewer: they are dark, and the user should know."""

import pyarrow as pa

from embshift.core.words import count_noun
from embshift.images import DARK
from embshift.runs.tables import RunTables

__all__ = ["describe_dark_images"]


def describe_dark_images(run: RunTables) -> str | None:
    """Return a note on 16-bit images that use only a part of their range; None where there are none.

    Args:
        run: The run, as far as it is measured.
    """
    greatest = list[int]()
    for chunk in run.chunks("images", ["flags"]):
        greatest += [value for flags in _column(chunk) for value in _list_greatest(flags)]
    if not greatest:
        return None
    most, images = max(greatest), count_noun(len(greatest), "image")
    return (
        f"{images} with 16 bits a pixel, dark: their values reach {most:,} of 65,535;"
        f" --value-range 0,{2 ** most.bit_length() - 1} spreads them, into another run folder"
    )


def _column(chunk: pa.Table) -> list[str]:
    return [flags or "" for flags in chunk["flags"].to_pylist()]


def _list_greatest(flags: str) -> list[int]:
    found = (flag.removeprefix(DARK) for flag in flags.split(",") if flag.startswith(DARK))
    return [int(value) for value in found if value.isdecimal()]
