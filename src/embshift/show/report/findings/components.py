"""Names of a network's components, and estimates with their intervals, for a sentence."""

import math
import re

from embshift.show.text.words import format_percent, make_visible, shorten

__all__ = ["FEW", "format_ends_percent", "holds_zero", "spell_component", "spell_share"]

FEW = "no interval: it needs at least ten images"

_NAMES = (
    (r"head\.(\d+)\.(\d+)", r"head \2 of layer \1"),
    (r"mlp\.(\d+)", r"the inner layers (MLP) of layer \1"),
    (r"where\.(\d+)", r"where head \1 looks"),
    (r"pool\.(\d+)", r"where head \1 of the probe looks"),
    ("what", "what is seen at the patches"),
    ("stem", "the input of the first block"),
    ("bias", "the bias of the final norm"),
    ("norm_scale", "the scale of the final norm"),
    ("pool_mlp", "the inner layers (MLP) of the probe"),
)


def spell_component(name: str) -> str:
    """Name a component in words, with its name in the tables: "head 3 of layer 5 (head.5.3)"."""
    shown = shorten(make_visible(name))
    for pattern, words in _NAMES:
        if re.fullmatch(pattern, name):
            return f"{re.sub(pattern, words, name)} ({shown})"
    return shown


def holds_zero(low: float, high: float) -> bool:
    """Return whether an interval holds 0, or there is none: then nothing is claimed."""
    return not (low > 0 or high < 0)


def spell_share(value: float) -> str:
    """Spell a share as per cent, for a sentence; "undefined" for NaN."""
    return "undefined" if math.isnan(value) else format_percent(value)


def format_ends_percent(low: float, high: float, *, level: float, joint: bool = False) -> str:
    """Format the interval of a share in per cent, or say why there is none."""
    if math.isnan(low) or math.isnan(high):
        return FEW
    kind = f"{'joint ' if joint else ''}{format_percent(level)} interval"
    return f"{kind} {format_percent(low)} to {format_percent(high)}"
