"""Numbers as text: rounded for readers, exact for programs."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "format_cell",
    "format_counts",
    "format_estimate",
    "format_exact",
    "format_number",
    "shows_side",
    "spell_beside",
    "spell_number",
    "write_json",
]


def format_number(value: float, *, places: int | None = None) -> str:
    """Format a value for a figure: three significant digits or a number of decimal places; "–" for NaN."""
    if math.isnan(value):
        return "–"
    # "#" keeps trailing zeros: 4.40 next to 4.37 shows that both are equally exact.
    text = f"{value:#.3g}".rstrip(".") if places is None else f"{value:.{places}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def spell_number(value: float) -> str:
    """Format a value inside a sentence: three significant digits; "undefined" for NaN."""
    if not math.isfinite(value):
        return "undefined" if math.isnan(value) else str(value).replace("inf", "∞")
    if value == 0:
        return "0"
    return format_number(value) if 1e-4 <= abs(value) < 1000 else f"{value:.3g}".replace("-", "−")


def spell_beside(value: float, limit: float) -> str:
    """Format a value as `spell_number`, with as many digits as show on which side of a limit it lies."""
    text = spell_number(value)
    for digits in range(4, 18):
        if shows_side(text, value, limit):
            break
        text = f"{value:.{digits}g}".replace("-", "−")
    return text


def shows_side(text: str, value: float, limit: float) -> bool:
    """Return whether a printed value lies on the same side of a limit as the value itself."""
    if not math.isfinite(value):
        return True
    shown = float(text.replace("−", "-").replace(",", ""))
    return (shown > limit, shown < limit) == (value > limit, value < limit)


def format_cell(value: float, *, scientific: bool = False) -> str:
    """Format a table cell: four decimal places below 10, four significant digits from 10; "–" for NaN.

    Args:
        value: The value.
        scientific: Whether absolute values below 0.001 are written as powers of ten.
    """
    if math.isnan(value):
        return "–"
    size = abs(value)
    if scientific and 0 < size < 1e-3:
        return f"{value:.2e}"
    text = f"{value:.4g}" if size >= 10 else f"{value:.4f}"
    return text.lstrip("-") if float(text) == 0 else text


def format_estimate(
    value: float, low: float, high: float, *, between: str = " ", scientific: bool = False
) -> str:
    """Format a value with its interval, "0.1234 (0.1000 to 0.1500)"; without it where its ends are NaN.

    Args:
        value: The value.
        low: Lower end of the interval.
        high: Upper end of the interval.
        between: Text between the value and its interval.
        scientific: As for `format_cell`.
    """
    text = format_cell(value, scientific=scientific)
    if math.isnan(low):
        return text
    ends = (format_cell(end, scientific=scientific) for end in (low, high))
    return f"{text}{between}({' to '.join(ends)})"


def format_counts(counts: Iterable[int]) -> str:
    """Format the different counts of a row, the largest first: "36 / 35"."""
    return " / ".join(f"{count:,}" for count in sorted(set(counts), reverse=True))


def format_exact(value: float | str | None) -> str:
    """Format a value with full precision; an empty text for NaN and None."""
    if isinstance(value, str):
        return value
    return "" if value is None or math.isnan(value) else repr(value)


def write_json(content: Mapping[str, Any]) -> str:
    """Write JSON with full precision; NaN and infinity, which JSON lacks, become null."""
    return json.dumps(_replace_undefined(content), indent=2, allow_nan=False)


def _replace_undefined(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _replace_undefined(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_undefined(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
