"""Cells of the report's tables: text from outside is made visible before it enters one."""

import math

from embshift.show.text.numbers import spell_number
from embshift.show.text.words import make_visible

__all__ = ["Cell", "format_ends", "make_cell", "make_head"]

Cell = dict[str, str]


def make_cell(text: str, *small: str) -> Cell:
    """Return a cell with smaller text below; empty parts are left out."""
    return {"text": make_visible(text), "small": make_visible(" ".join(one for one in small if one))}


def make_head(text: str, title: str = "") -> Cell:
    """Return a heading with its definition."""
    return {"text": make_visible(text), "title": make_visible(title)}


def format_ends(low: float, high: float) -> str:
    """Format an interval in brackets; empty where there is none."""
    return "" if math.isnan(low) else f"[{spell_number(low)}, {spell_number(high)}]"
