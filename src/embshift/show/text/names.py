"""Names as words of a sentence."""

from collections.abc import Sequence

__all__ = ["join_names"]


def join_names(names: Sequence[str], *, most: int, word: str = "and") -> str:
    """Join names as words: "a, b and c"; names beyond the first ones are counted.

    Args:
        names: The names.
        most: Number of names to write out.
        word: Word before the last name or before the count.
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} {word} {len(names) - most} more"
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
