"""Texts as they are handed in: a list of whole, non-empty strings."""

from typing import Any

from embshift.core.errors import EncoderError

__all__ = ["check_texts"]


def check_texts(texts: Any) -> None:
    """Check a list of texts.

    Raises:
        EncoderError: It is empty, a single text, or holds something that is not a whole, non-empty text.
    """
    wanted = "expected a list of at least one text"
    if isinstance(texts, str):
        raise EncoderError(f"got one text, {texts!r}; {wanted}: [{texts!r}]")
    if not len(texts):
        raise EncoderError(f"got no texts; {wanted}")
    for text in texts:
        if not isinstance(text, str):
            raise EncoderError(f"got {text!r} among the texts; {wanted}, each of them a str")
        if not text.strip():
            raise EncoderError(f"got {text!r} among the texts, which is empty; {wanted}, none of them empty")
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            raise EncoderError(
                f"got {text!r}, which holds half a surrogate pair; {wanted} of whole characters"
            )
