"""Word bars: towards which words each transform moves images, with the line that chance reaches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64
from matplotlib.axes import Axes

from embshift.analysis.words.directions import FEWEST_NAMED, NAMED_BELOW, DirectionWords
from embshift.analysis.words.shares import BEST, WordShares
from embshift.core.errors import FigureError, RunError
from embshift.core.words import count_noun
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.labels import (
    format_name,
    replace_unprintable,
    shorten_text,
    text_height,
    text_width,
)
from embshift.show.figures.layout.panels import make_grid, split_pages
from embshift.show.figures.layout.rows import marker_style
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import GREY, INK, PALE, SIZES, Look, area_style, assign_looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number

__all__ = ["word_bars"]

_SHOWN = 6
"""Number of words that are shown of each transform."""

_ROW, _SCALE = 0.13, 0.19
"""Inches of a bar, and of the numbers below the bars."""

_LEAST, _GAP = 1.5, 0.14
"""Least width of a panel, and the space to its right, in inches."""

_LINE = text_height(1, size=SIZES.small)
_HEAD = text_height(1, size=SIZES.label) + 2 * _LINE + 0.05
"""Inches of a panel above its bars: the transform, and two lines of numbers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Panel:
    """Words of one transform.

    Attributes:
        name: Name of the transform.
        at: Its position in the test of the words.
        shown: Positions of the words that are shown, the greatest T first; none where T is undefined.
    """

    name: str
    at: int
    shown: Int64[np.ndarray, " shown"]


@figure(
    name="word_bars",
    question="Towards which words does each transform move images?",
    shows="the words with the greatest |T| of each transform, the line that chance reaches, and how much of"
    " the shift the best words explain",
    source="own: explanations",
    needs_metrics=(),
    needs="words, stored by embshift explain --show words",
)
def word_bars(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render one panel of bars for each transform, on as many pages as they take."""
    words, shares = _read_words(material)
    panels = [
        _Panel(name=name, at=at, shown=_choose_words(words, at)) for at, name in enumerate(words.transforms)
    ]
    looks = assign_looks(material.run.transforms)
    height = _HEAD + _SHOWN * _ROW + _SCALE + 0.12
    places = make_grid(len(panels), width=frame.inner, least=_LEAST, height=height, high=frame.highest)
    gutter = _measure_words(words, panels, most=0.42 * (places.width - _GAP))
    for page in split_pages(panels, places):
        sheet = open_sheet(frame, body=places.body(len(page)), notes=_write_notes(material, words, shares))
        canvas = sheet.canvas()
        for at, panel in enumerate(page):
            left, top = places.place(at)
            width = places.width - _GAP
            _add_head(
                sheet, canvas, panel, words, shares, place=(left, top), width=width, look=looks[panel.name]
            )
            if len(panel.shown):
                size = {"width": width - gutter, "height": _ROW * len(panel.shown)}
                axes = sheet.axes(left + gutter, top + _HEAD, **size)
                _add_bars(axes, panel, words, look=looks[panel.name], gutter=gutter)
        yield Page(figure=sheet.figure, alt=_write_alt(material, page, words, shares))


def _read_words(material: Material) -> tuple[DirectionWords, WordShares | None]:
    """Return the test of the words, and what they explain where there are enough of them.

    Raises:
        FigureError: If the run holds no words.
    """
    try:
        words = material.texts.words()
        return words, material.texts.word_shares() if len(words.names) >= BEST else None
    except RunError as error:
        raise FigureError(str(error)) from error


def _choose_words(words: DirectionWords, at: int) -> Int64[np.ndarray, " shown"]:
    """Return the words with the greatest |T|, the one of the greatest T first."""
    known = np.flatnonzero(~np.isnan(words.t[at]))
    chosen = known[np.argsort(-np.abs(words.t[at, known]), kind="stable")][:_SHOWN]
    return chosen[np.argsort(-words.t[at, chosen], kind="stable")].astype(np.int64)


def _measure_words(words: DirectionWords, panels: Sequence[_Panel], *, most: float) -> float:
    """Return the inches left of the bars: what the widest word takes, up to a limit."""
    shown = {words.names[at] for panel in panels for at in panel.shown.tolist()}
    widest = max((text_width(replace_unprintable(one), size=SIZES.small) for one in shown), default=0.0)
    return min(widest + 0.06, most)


def _write_notes(material: Material, words: DirectionWords, shares: WordShares | None) -> list[str]:
    few, many = int(words.images.min()), int(words.images.max())
    counts = count_noun(many, "image") if few == many else f"{few:,} to {many:,} images"
    line = "" if np.isnan(words.line) else f" · dashed: the 95 % line of chance, |T| = {words.line:.2f}"
    explained = (
        ""
        if shares is None
        else f" · explained: part of the mean shift of other images in the best {shares.words} words; in"
        " brackets, in as many random vectors"
    )
    return [
        f"{counts} · encoder {material.encoder} · the {_SHOWN} most extreme of {len(words.names):,} words",
        "T: how consistently images move towards a word (right) or away from it (left) · strong: named, p"
        f" below {NAMED_BELOW:g} for all words and transforms together{line}{explained}",
    ]


def _add_head(
    sheet: Sheet,
    canvas: Axes,
    panel: _Panel,
    words: DirectionWords,
    shares: WordShares | None,
    *,
    place: tuple[float, float],
    width: float,
    look: Look,
) -> None:
    left, top = place
    line = text_height(1, size=SIZES.label)
    canvas.plot([left + 0.05], [top + line / 2], scalex=False, scaley=False, **marker_style(look))
    name = shorten_text(format_name(panel.name), width=width - 0.13, size=SIZES.label, weight="bold")
    sheet.text(left + 0.13, top + line / 2, name, weight="bold", va="center")
    for at, text in enumerate((_count_named(panel, words), _format_share(panel, shares))):
        sheet.text(left, top + line + 0.01 + at * _LINE, text, size=SIZES.small, color=GREY)


def _count_named(panel: _Panel, words: DirectionWords) -> str:
    if not len(panel.shown):
        moved = count_noun(int(words.images[panel.at]), "image")
        return f"{moved} moved; words need {FEWEST_NAMED}"
    named = len(words.named(panel.name))
    return f"{count_noun(named, 'word')} named" if named else "no word named"


def _format_share(panel: _Panel, shares: WordShares | None) -> str:
    if shares is None or np.isnan(shares.share[panel.at]):
        return ""
    share, low, high = (
        100 * float(one[panel.at]) for one in (shares.share, shares.null_low, shares.null_high)
    )
    return f"{share:.0f} % explained ({low:.0f} to {high:.0f} %)"


def _add_bars(axes: Axes, panel: _Panel, words: DirectionWords, *, look: Look, gutter: float) -> None:
    strong: Mapping[bool, dict[str, Any]] = {
        True: area_style(look),
        False: {"facecolor": PALE, "edgecolor": "none"},
    }
    named = words.p[panel.at] < NAMED_BELOW
    for row, at in enumerate(panel.shown.tolist()):
        axes.barh(row, words.t[panel.at, at], height=0.74, **strong[bool(named[at])])
    limit = 1.04 * max(float(np.nanmax(np.abs(words.t))), 0.0 if np.isnan(words.line) else words.line)
    axes.axvline(0, color=INK, linewidth=0.5)
    if not np.isnan(words.line):
        for side in (-words.line, words.line):
            axes.axvline(side, color=GREY, linewidth=0.7, linestyle="--")
    axes.set_xlim(-limit, limit)
    axes.set_ylim(len(panel.shown) - 0.5, -0.5)
    step = max(1, int(limit))
    axes.set_xticks([-step, 0, step], [f"−{step}", "0", f"T = {step}"])
    texts = [replace_unprintable(words.names[at]) for at in panel.shown.tolist()]
    axes.set_yticks(
        range(len(texts)), [shorten_text(text, width=gutter - 0.05, size=SIZES.small) for text in texts]
    )
    axes.tick_params(axis="y", length=0, labelsize=SIZES.small)
    axes.tick_params(axis="x", labelsize=SIZES.small)
    axes.spines["left"].set_visible(False)
    for label, at in zip(axes.get_yticklabels(), panel.shown.tolist(), strict=True):
        label.set_color(INK if named[at] else GREY)


def _write_alt(
    material: Material, page: Sequence[_Panel], words: DirectionWords, shares: WordShares | None
) -> str:
    line = "" if np.isnan(words.line) else f" The 95 % line of chance is at {format_number(words.line)}."
    each = "; ".join(_describe(panel, words, shares) for panel in page)
    return (
        f"Bars of T of the most extreme words for each transform, by encoder {material.encoder}; T above 0 is"
        f" towards the word.{line} {each}."
    )


def _describe(panel: _Panel, words: DirectionWords, shares: WordShares | None) -> str:
    """Format the words of one transform, the greatest T first, and what the best words explain."""
    values = [
        f"{replace_unprintable(words.names[at])} {format_number(float(words.t[panel.at, at]))}"
        for at in panel.shown.tolist()
    ]
    parts = (_count_named(panel, words), _format_share(panel, shares), ", ".join(values))
    return f"{format_name(panel.name)}: {', '.join(part for part in parts if part)}"
