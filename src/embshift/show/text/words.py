"""Words and numbers of the report; text from outside is made visible before it is shown."""

import math
import re
from collections.abc import Sequence

from embshift.show.text.names import join_names
from embshift.show.text.numbers import spell_number

__all__ = [
    "format_interval",
    "format_percent",
    "join_transforms",
    "make_visible",
    "shorten",
    "spell_metric",
]

_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Characters that show nothing, move the cursor or change the direction of the text around them."""


def make_visible(text: object) -> str:
    r"""Replace invisible characters by visible marks, so that no name can pass for another.

    Control characters become their Unicode pictures (a line feed "␊"), others their number, e.g. "⟨U+202E⟩".
    """
    return _INVISIBLE.sub(lambda found: _mark(ord(found[0])), str(text))


def _mark(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"


def shorten(text: str, *, most: int = 60) -> str:
    """Cut the middle out of a long text; its two ends tell names apart."""
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"


def spell_metric(name: str) -> str:
    """Return a metric's name for a sentence."""
    return "L2" if name == "l2" else shorten(make_visible(name)).replace("_", " ")


def join_transforms(names: Sequence[str], *, word: str = "and") -> str:
    """Join names of transforms for a sentence; beyond six they are counted."""
    return join_names([shorten(make_visible(name)) for name in names], most=6, word=word)


def format_percent(share: float) -> str:
    """Format a share as per cent, with two significant digits."""
    text = f"{100 * share:.2g} %" if abs(share) < 0.1 else f"{100 * share:.0f} %"
    return text.replace("-", "−")


def format_interval(low: float, high: float, *, level: float) -> str:
    """Format an interval for a sentence, or say why there is none."""
    if math.isnan(low) or math.isnan(high):
        return "no interval: it needs at least ten images"
    return f"{format_percent(level)} interval {spell_number(low)} to {spell_number(high)}"
