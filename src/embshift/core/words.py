"""Words for messages: counts with their nouns."""

__all__ = ["count_noun"]


def count_noun(count: int, noun: str, /, plural: str = "") -> str:
    """Return a count with its noun, e.g. "1 image" or "2,000 images".

    Args:
        count: The count.
        noun: The noun in the singular.
        plural: Its plural; the noun and an "s" where empty.
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
