"""Colours of transforms: one for each name in every run, figure and report; shades for severities."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.colors import to_hex, to_rgb

__all__ = ["MIDDLE", "SHADES", "Place", "find_colour", "place_transforms"]

_COLOURS = {
    "noise": "#CC6677",
    "blur": "#332288",
    "color_jitter": "#DDCC77",
    "shift_scale_rotate": "#117733",
    "horizontal_flip": "#88CCEE",
    "elastic": "#882255",
    "perspective": "#44AA99",
    "random_brightness_contrast": "#999933",
    "coarse_dropout": "#AA4499",
    "jpeg": "#8866EE",
    "rotate": "#AA0011",
    "gamma": "#BB77DD",
    "crop": "#0044CC",
    "occlusion": "#DD5500",
    "saturation": "#665544",
    "motion_blur": "#9944BB",
    "text_overlay": "#666677",
    "border": "#997755",
    "downscale": "#5577AA",
    "translate": "#CC2277",
    "hue": "#882288",
    "defocus_blur": "#8811AA",
    "salt_and_pepper": "#BB4433",
    "sticker_overlay": "#FF5599",
    "reencode": "#AA77EE",
    "screenshot_frame": "#CC8877",
    "identity": "#CC2211",
    "grey": "#777777",
}
"""The colour of each bundled transform.

The paper's nine have the colours of Paul Tol's "muted" scheme (SRON/EPS/TN/09-002), which colour-blind
readers can tell apart. Each further colour is the one of a grid that is furthest, for every kind of colour
vision, from those before it: the tenth is still apart from all of them, the twentieth only by a hatch.
"""

_NAMES, _HUES = tuple(_COLOURS), tuple(_COLOURS.values())

_PAPER, _SHARED = 9, 27
"""The first colours belong to the paper's nine alone; names from elsewhere share those up to `_SHARED`.

The numbers stay when a colour is added, so that no name changes its colour.
"""

SHADES = (0.55, 0.3, 0.0, -0.22, -0.45)
"""Shares of white, or of black where negative, in the shades of severities 1 to 5."""

MIDDLE = 2
"""Shade of a name without a severity: the hue itself."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Place of a transform among the looks.

    Attributes:
        hue: Number of its hue.
        shade: Number of its shade in `SHADES`.
        turn: How many transforms of the same hue and shade precede it in the run.
    """

    hue: int
    shade: int
    turn: int


def find_colour(place: Place) -> str:
    """Return the colour of areas at a place."""
    mixed, share = (1.0, SHADES[place.shade]) if SHADES[place.shade] >= 0 else (0.0, -SHADES[place.shade])
    red, green, blue = ((1 - share) * part + share * mixed for part in to_rgb(_HUES[place.hue]))
    return to_hex((red, green, blue)).upper()


def place_transforms(transforms: Sequence[str]) -> dict[str, Place]:
    """Place transforms so that no two of them share a place, whatever their order.

    Hue and shade follow from the name alone, whichever other names are there; only the turn, which stands for
    hatch, marker and line style, depends on the other names of that colour.
    """
    turns = Counter[tuple[int, int]]()
    found = dict[str, Place]()
    for name in sorted(set(transforms), key=_rank):
        hue, shade = _find_hue(name)
        found[name] = Place(hue=hue, shade=shade, turn=turns[hue, shade])
        turns[hue, shade] += 1
    return {name: found[name] for name in transforms}


def _rank(name: str) -> tuple[int, int, list[tuple[int, str]], str]:
    """Return what sorts names: known ones first, a name before its levels, and levels as numbers."""
    family = _find_family(name)
    known = _NAMES.index(family) if family in _COLOURS else len(_NAMES)
    parts = [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
    return known, int(name != family), parts, name


def _find_family(name: str) -> str:
    """Return the transform that a name such as "blur_s3", "jpeg_95" or "blur_x2_5" is a level of."""
    known = [one for one in _NAMES if name == one or name.startswith(f"{one}_")]
    return max(known, key=len) if known else re.sub(r"_(s[1-5]|x?m?\d+(_\d+)?)$", "", name) or name


def _find_hue(name: str) -> tuple[int, int]:
    """Return the numbers of a name's hue and shade; a name that is not bundled has the hue of its digest."""
    family = _find_family(name)
    severity = re.fullmatch(r"_s([1-5])", name.removeprefix(family))
    shade = MIDDLE if severity is None else int(severity[1]) - 1
    if family in _COLOURS:
        return _NAMES.index(family), shade
    digest = hashlib.sha256(family.encode("utf-8", "surrogatepass")).digest()
    return _PAPER + digest[0] % (_SHARED - _PAPER), shade
