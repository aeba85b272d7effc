"""Estimates for the first screen: a value with its interval, as numbers and as text."""

import math
from dataclasses import dataclass

from embshift.show.report.parts.rounding import round_value
from embshift.show.text.numbers import spell_number
from embshift.show.text.words import format_percent

__all__ = ["Estimate", "format_ends_of", "format_value", "list_estimate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its interval.

    Attributes:
        value: The value; NaN where it is unknown.
        low: Lower end of the interval; NaN where there is none.
        high: Upper end.
        percent: Whether the value is a share, shown in per cent.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    percent: bool = True

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)

    @property
    def bounded(self) -> bool:
        """Whether there is an interval."""
        return not (math.isnan(self.low) or math.isnan(self.high))


def format_value(one: Estimate) -> str:
    """Format the value alone, e.g. "64 %" or "0.31"; "–" where it is unknown."""
    if not one.known:
        return "–"
    return format_percent(one.value) if one.percent else spell_number(one.value)


def format_ends_of(one: Estimate) -> str:
    """Format the interval alone, e.g. "58 to 70 %"; empty where there is none."""
    if not one.bounded:
        return ""
    spell = format_percent if one.percent else spell_number
    low, high = spell(one.low), spell(one.high)
    return f"{low.removesuffix(' %')} to {high}"


def list_estimate(one: Estimate) -> dict[str, object]:
    """Return the parts for the page."""
    return {
        "value": round_value(one.value),
        "low": round_value(one.low),
        "high": round_value(one.high),
        "text": format_value(one),
        "ends": format_ends_of(one),
    }
