"""Style of figures: looks in which a transform keeps its colour, sizes for print, vector text."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import matplotlib as mpl
from matplotlib import style
from matplotlib.colors import to_hex, to_rgb

from embshift.show.figures.layout.colours import MIDDLE, SHADES, Place, find_colour, place_transforms

__all__ = [
    "GREY",
    "HEAT_COLOURS",
    "INK",
    "PALE",
    "SIZES",
    "Look",
    "area_style",
    "assign_looks",
    "darken_colour",
    "heat_colour",
    "ink_on",
    "use_house_style",
]

_Line: TypeAlias = str | tuple[float, tuple[float, ...]]

_HATCHES = (
    "",
    "/////",
    ".....",
    "xxxxx",
    "-----",
    "|||||",
    "ooo",
    "+++++",
    "****",
    "\\\\\\\\\\",
    "//..",
    "||--o",
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
_LINES: tuple[_Line, ...] = (
    *("-", "--", ":", "-.", (0, (7, 2)), (0, (1, 3)), (0, (3, 1, 1, 1, 1, 1)), (0, (5, 1))),
    *((0, (2, 2)), (0, (9, 1, 2, 1)), (0, (4, 4)), (0, (1, 1, 4, 1))),
)
"""Twelve of each: as many transforms of one colour differ in a run."""

INK, GREY, PALE = "#1A1A1A", "#555555", "#D5D5D5"

HEAT_COLOURS = "cividis"
"""Colours of a heat map: they run from dark to light for every kind of colour vision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    """Text sizes in points; none is below 6 at the width of the figure."""

    title: float = 8.5
    note: float = 6.5
    label: float = 6.5
    small: float = 6.0


SIZES = _Sizes()

_SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib; a generic name depends on the machine
    "font.size": SIZES.label,
    "text.hinting": "none",  # else text is up to a tenth wider than measured, depending on the resolution
    "text.parse_math": False,  # a name may contain a dollar sign
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.5,
    "axes.labelsize": SIZES.label,
    "axes.labelpad": 2.0,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "grid.color": PALE,
    "grid.linewidth": 0.4,
    "xtick.labelsize": SIZES.label,
    "ytick.labelsize": SIZES.label,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.0,
    "patch.linewidth": 0.5,
    "image.composite_image": False,  # vector files hold each image by itself, not one image of the whole page
    "savefig.dpi": 300,
    "savefig.bbox": None,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "embshift",  # else identifiers are random
    "pdf.fonttype": 42,
}


@contextmanager
def use_house_style(more: Mapping[str, Any] | None = None, /) -> Generator[None]:
    """Use the settings of all figures instead of the user's matplotlibrc, which comes back afterwards.

    Args:
        more: Settings on top of them, as `read_style` returns them.
    """
    with style.context([_SETTINGS, dict(more or {})], after_reset=True):
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Look of one transform in every figure.

    Attributes:
        colour: Colour of areas.
        edge: The same colour, dark enough for lines on white (contrast 3 to 1).
        text: The same colour, dark enough for text on white (contrast 4.5 to 1).
        hatch: Hatch of areas; distinguishes transforms of one colour.
        over: Colour of the hatch and of the edge around it, visible on `colour`.
        marker: Marker of points; distinguishes transforms of one colour.
        line: Line style of curves; distinguishes transforms of one colour.
    """

    colour: str
    edge: str
    text: str
    hatch: str
    over: str
    marker: str
    line: _Line


def assign_looks(transforms: Sequence[str]) -> dict[str, Look]:
    """Assign a look to each transform; its colour follows from its name alone, in every run.

    Severities are shades of the transform's colour. Where transforms of a run have one colour, hatch, marker
    and line style set up to twelve of them apart.
    """
    return {name: _make_look(place) for name, place in place_transforms(transforms).items()}


def _make_look(place: Place) -> Look:
    colour, hatch = find_colour(place), _HATCHES[place.turn % len(_HATCHES)]
    edge, text = darken_colour(colour, contrast=3.0), darken_colour(colour, contrast=4.5)
    # Light shades are darkened to much the same edge, so that severities differ in marker and line too; as
    # edges of light hues are, so that transforms differ in their marker.
    step = place.turn + (place.shade - MIDDLE) % len(SHADES)
    return Look(
        colour=colour,
        edge=edge,
        text=text,
        hatch=hatch,
        over="#FFFFFF" if hatch and _luminance(colour) < 0.4 else text if hatch else edge,
        marker=_MARKERS[(step + place.hue) % len(_MARKERS)],
        line=_LINES[step % len(_LINES)],
    )


def area_style(look: Look) -> dict[str, Any]:
    """Return the options of matplotlib's patches for a look.

    A hatched area has no edge, because matplotlib gives edge and hatch one colour.
    """
    return {
        "facecolor": look.colour,
        "edgecolor": look.over,
        "hatch": look.hatch,
        "linewidth": 0.0 if look.hatch else 0.5,
    }


def _luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.1, from 0 to 1."""
    linear = [(c / 12.92) if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def darken_colour(colour: str, *, contrast: float) -> str:
    """Darken a colour until it has a contrast with white; WCAG 2.1 asks for 3 and 4.5 (level AA)."""
    red, green, blue = to_rgb(colour)
    for step in range(100):
        left = 1 - step / 100
        darker = to_hex((red * left, green * left, blue * left))
        if 1.05 / (_luminance(darker) + 0.05) >= contrast:
            return darker
    return INK


def ink_on(colour: str) -> str:
    """Return white or the dark ink, whichever has more contrast with a colour."""
    luminance = _luminance(colour)
    dark = (luminance + 0.05) / (_luminance(INK) + 0.05)
    return INK if dark >= 1.05 / (luminance + 0.05) else "#FFFFFF"


def heat_colour(share: float) -> str:
    """Return the colour of a heat map at a share of its range, from 0 to 1."""
    return to_hex(mpl.colormaps[HEAT_COLOURS](share))
