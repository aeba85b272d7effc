"""Words and numbers of the report. Whatever comes from outside is made visible before it is shown."""

import math
import re
from collections.abc import Sequence

__all__ = [
    "counted",
    "interval_text",
    "listed",
    "named",
    "number",
    "percent",
    "shortened",
    "spoken",
    "visible",
]

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Characters that show nothing, move the cursor or turn the direction of what stands around them."""


def visible(text: object) -> str:
    r"""The text with a mark for every character that would not be seen: a name must not pass for another.

    Control characters become their Unicode pictures (a line feed "␊"), others their number, e.g. "⟨U+202E⟩".
    """
    return _UNSEEN.sub(lambda found: _mark(ord(found[0])), str(text))


def _mark(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"


def shortened(text: str, *, most: int = 60) -> str:
    """The text, its middle left out where it is longer; both ends tell names apart."""
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"


def spoken(name: str) -> str:
    """A metric's name inside a sentence."""
    return "L2" if name == "l2" else shortened(visible(name)).replace("_", " ")


def listed(names: Sequence[str], *, most: int = 6, word: str = "and") -> str:
    """Names as words: "a, b and c"; beyond some they are counted."""
    if len(names) > most:
        return f"{', '.join(names[:most])} {word} {len(names) - most} more"
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def named(transforms: Sequence[str], *, word: str = "and") -> str:
    """Names of transforms inside a sentence."""
    return listed([shortened(visible(name)) for name in transforms], word=word)


def number(value: float) -> str:
    """Three significant digits; "undefined" for NaN."""
    if not math.isfinite(value):
        return "undefined" if math.isnan(value) else str(value).replace("inf", "∞")
    # "#" keeps the zeros: 0.890 beside 0.437, each as exact as the other.
    text = f"{value:#.3g}" if 1e-4 <= abs(value) < 1000 or value == 0 else f"{value:.3g}"
    return text.rstrip(".").replace("-", "−") if float(text) else "0"


def percent(share: float) -> str:
    """A share as per cent, two significant digits."""
    return f"{100 * share:.2g} %" if abs(share) < 0.1 else f"{100 * share:.0f} %"


def interval_text(low: float, high: float, *, level: float) -> str:
    """An interval in words, or why there is none."""
    if math.isnan(low) or math.isnan(high):
        return "no interval, which takes two pictures or more"
    return f"{percent(level)} interval {number(low)} to {number(high)}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: "1 picture", "36 pictures"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
