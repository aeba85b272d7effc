"""Colours of transforms: one hue for each name in every run, shades for severities, no two alike in a run."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.colors import to_hex, to_rgb

__all__ = ["MIDDLE", "SHADES", "TURNS", "Place", "find_colour", "place_transforms"]

_HUES = (
    "#CC6677",
    "#332288",
    "#DDCC77",
    "#117733",
    "#88CCEE",
    "#882255",
    "#44AA99",
    "#999933",
    "#AA4499",
)
"""Nine colours that colour-blind readers can tell apart: Paul Tol's "muted" scheme (SRON/EPS/TN/09-002)."""

_ORDER = (
    *("noise", "blur", "color_jitter", "shift_scale_rotate", "horizontal_flip", "elastic", "perspective"),
    *("random_brightness_contrast", "coarse_dropout"),
    *("jpeg", "rotate", "gamma", "crop", "occlusion", "saturation", "motion_blur", "text_overlay", "border"),
    *("downscale", "translate", "hue", "defocus_blur", "salt_and_pepper", "sticker_overlay", "reencode"),
    *("screenshot_frame", "identity"),
)
"""Names whose hues are dealt out by hand: first the paper's nine, then what is often shown together.

A name that is not here gets the hue of its digest, so that a new transform needs no entry.
"""

SHADES = (0.55, 0.3, 0.0, -0.22, -0.45)
"""Shares of white, or of black where negative, in the shades of severities 1 to 5."""

MIDDLE = 2
"""Shade of a name without a severity: the hue itself."""

TURNS = 4
"""Hatches, markers and line styles that set transforms of one shade apart before another shade does."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Place of a transform among the looks.

    Attributes:
        hue: Number of its hue.
        shade: Number of its shade in `SHADES`.
        turn: 0, or how many transforms of the same shade precede it.
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

    A name keeps its hue, whichever other names are there; only names of one shade are set apart, in an order
    of their own.
    """
    taken = set[Place]()
    found = dict[str, Place]()
    for name in sorted(set(transforms), key=_rank):
        found[name] = next(place for place in _list_places(name) if place not in taken)
        taken.add(found[name])
    return {name: found[name] for name in transforms}


def _rank(name: str) -> tuple[int, int, list[tuple[int, str]], str]:
    """Return what sorts names: known ones first, a name before its levels, and levels as numbers."""
    family = _find_family(name)
    known = _ORDER.index(family) if family in _ORDER else len(_ORDER)
    parts = [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
    return known, int(name != family), parts, name


def _find_family(name: str) -> str:
    """Return the transform that a name such as "blur_s3", "jpeg_95" or "blur_x2_5" is a level of."""
    known = [one for one in _ORDER if name == one or name.startswith(f"{one}_")]
    return max(known, key=len) if known else re.sub(r"_(s[1-5]|x?m?\d+(_\d+)?)$", "", name) or name


def _list_places(name: str) -> Iterator[Place]:
    """Yield the places that a name may take, the one that it prefers first; they never end."""
    family = _find_family(name)
    digest = hashlib.sha256(family.encode("utf-8", "surrogatepass")).digest()
    hue = _ORDER.index(family) % len(_HUES) if family in _ORDER else digest[0] % len(_HUES)
    severity = re.fullmatch(r"_s([1-5])", name.removeprefix(family))
    first = MIDDLE if severity is None else int(severity[1]) - 1
    shades = [first, *(shade for shade in (MIDDLE, 0, 4, 1, 3) if shade != first)]
    start = 0
    while True:
        for shade in shades:
            for turn in range(start, start + TURNS):
                yield Place(hue=hue, shade=shade, turn=turn)
        start += TURNS
