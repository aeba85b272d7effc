"""Thresholds: the share of views kept against the other pairs let in, transform by transform."""

import math
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes

from embshift.analysis.of_thresholds import analyse_thresholds
from embshift.analysis.thresholds.estimates import FEWEST_PAIRS
from embshift.analysis.thresholds.result import ThresholdRow, Thresholds
from embshift.core.errors import FigureError, RunError
from embshift.core.words import count_noun
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.labels import format_name, text_height, text_width, wrap_text
from embshift.show.figures.layout.panels import Grid, make_grid, split_pages
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import GREY, PALE, SIZES, Look, assign_looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number
from embshift.show.text.thresholds import format_threshold

__all__ = ["thresholds"]

_PLOT = 0.8
"""Height of a panel in inches."""

_BELOW = 0.15
"""Height of the numbers below a panel in inches."""

_QUERIES = 2_000
"""Images of a larger run whose views are compared with all originals."""

_RESAMPLES = 100
"""Resamples, the fewest allowed: the figure shows no interval of theirs."""

_MILLION = 1e6


@figure(
    name="thresholds",
    question="Which cosine means the same image?",
    shows="share of each transform's views that a threshold keeps, against the pairs of different images that"
    " it lets in",
    source="own: thresholds",
    more_shift="down",
    needs_metrics=(),
)
def thresholds(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render one panel for each transform, in the order of the plan; the shaded part has too few pairs."""
    found = _analyse(material)
    rows = [found.row(name, near_duplicates="left out") for name in material.run.transforms]
    marks = assign_looks([row.transform for row in rows])
    left = _find_left(rows)
    gutter = text_width("0.5", size=SIZES.small) + 0.07
    head = text_height(_count_name_lines(rows, frame), size=SIZES.label) + 0.03
    places = _arrange_panels(len(rows), frame, head=head)
    for page in split_pages(rows, places):
        sheet = open_sheet(frame, body=places.body(len(page)), notes=_write_notes(material, found))
        for at, row in enumerate(page):
            x, upper = places.place(at)
            _add_head(sheet, row, left=x, low=upper + head, width=places.width - 0.1)
            axes = sheet.axes(x + gutter, upper + head, width=places.width - gutter - 0.14, height=_PLOT)
            _set_scales(axes, left=left)
            _add_curve(axes, row, marks[row.transform], left=left)
            sheet.text(x, upper + head + _PLOT + _BELOW, _format_summary(row), size=SIZES.small, color=GREY)
        yield Page(figure=sheet.figure, alt=_write_alt(material, page, found))


def _analyse(material: Material) -> Thresholds:
    material.values  # noqa: B018 - raises where the run holds no values
    try:
        sample = _QUERIES if len(material.values.rows) > _QUERIES else None
        return analyse_thresholds(material.run, queries=sample, resamples=_RESAMPLES)
    except RunError as error:
        raise FigureError(str(error)) from error


def _find_left(rows: Sequence[ThresholdRow]) -> float:
    """Return the left end of the scale: the power of ten below one false pair of the most."""
    return 10.0 ** math.floor(math.log10(_MILLION / max(2, *(row.pairs for row in rows), 2)))


def _count_name_lines(rows: Sequence[ThresholdRow], frame: Frame) -> int:
    width = _arrange_panels(len(rows), frame, head=0.1).width - 0.1
    return max(len(_wrap_name(row, width=width)) for row in rows)


def _wrap_name(row: ThresholdRow, *, width: float) -> list[str]:
    return wrap_text(format_name(row.transform), width=width, size=SIZES.label, lines=3, weight="bold")


def _arrange_panels(count: int, frame: Frame, *, head: float) -> Grid:
    height = head + _PLOT + _BELOW + text_height(2, size=SIZES.small) + 0.1
    return make_grid(count, width=frame.inner, least=1.05, height=height, wide=1.7, high=frame.highest)


def _add_head(sheet: Sheet, row: ThresholdRow, *, left: float, low: float, width: float) -> None:
    for line, text in enumerate(reversed(_wrap_name(row, width=width)), start=1):
        sheet.text(left, low - 0.03 - line * text_height(1, size=SIZES.label), text, weight="bold")


def _set_scales(axes: Axes, *, left: float) -> None:
    axes.set_xscale("log")
    axes.set_xlim(left, _MILLION)
    middle = 10.0 ** math.floor((math.log10(left) + 6) / 2)
    ticks = sorted({left, middle, _MILLION})
    axes.set_xticks(ticks, [_power(tick) for tick in ticks])
    # Below a wide font, the first label would meet that of 0, and the last one the next panel.
    for label, side in zip(axes.get_xticklabels()[:: len(ticks) - 1], ("left", "right"), strict=True):
        label.set_horizontalalignment(side)
    axes.set_xticks([], minor=True)
    axes.set_ylim(0, 1.03)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.tick_params(labelsize=SIZES.small)
    axes.grid(visible=True, axis="both")


def _power(value: float) -> str:
    exponent = round(math.log10(value))
    if exponent == 0:
        return "1"
    return "10" + str(exponent).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))


def _add_curve(axes: Axes, row: ThresholdRow, look: Look, *, left: float) -> None:
    if not len(row.curve_rates):
        return
    few = min(_MILLION, _MILLION * FEWEST_PAIRS / row.pairs)
    axes.axvspan(left, few, facecolor=PALE, alpha=0.6, linewidth=0, zorder=0)
    axes.plot(
        _MILLION * row.curve_rates,
        row.curve_recalls,
        color=look.edge,
        linestyle=look.line,
        drawstyle="steps-post",
        clip_on=False,
    )
    finest = row.finest
    if finest is not None:
        axes.plot(
            [_MILLION * finest.rate.value],
            [finest.recall.value],
            marker=look.marker,
            markersize=3.4,
            color=look.edge,
            linestyle="none",
            clip_on=False,
        )


def _format_summary(row: ThresholdRow) -> str:
    finest = row.finest
    if finest is None:
        return f"AUC {format_number(row.auc.value)}\nprec. 0.9: {_format_kept(row.at_precision.recall.value)}"
    per_million = format_number(_MILLION * finest.rate.value)
    kept = _format_kept(finest.recall.value)
    return f"τ {format_threshold(finest.threshold)}: {kept}\nat {per_million} per 10⁶"


def _format_kept(share: float) -> str:
    return f"{format_number(share)} kept"


def _write_notes(material: Material, found: Thresholds) -> list[str]:
    near = " without near-duplicates" if found.near_count else ""
    return [
        f"{count_noun(found.images, 'image')} · encoder {material.encoder}",
        "upwards: share of views with at least a cosine τ to their own original · to the right: pairs of"
        f" different images that τ lets in, per million{near} · shaded: fewer than {FEWEST_PAIRS} such pairs"
        " · mark and numbers: the strictest τ that the pairs support; without one, AUC and the share kept"
        " where 9 of 10 pairs are right",
    ]


def _write_alt(material: Material, rows: Sequence[ThresholdRow], found: Thresholds) -> str:
    each = "; ".join(f"{format_name(row.transform)} {_describe(row)}" for row in rows)
    return (
        "Curves of the share of views kept over the pairs of different images let in, per million, of"
        f" {count_noun(found.images, 'image')} by encoder {material.encoder}: {each}."
    )


def _describe(row: ThresholdRow) -> str:
    auc, finest = f"AUC {format_number(row.auc.value)}", row.finest
    if finest is None:
        one = row.at_precision
        kept, threshold = _format_kept(one.recall.value), format_threshold(one.threshold)
        return f"{auc}, {kept} at cosine {threshold} and precision 0.9"
    per_million = format_number(_MILLION * finest.rate.value)
    threshold = format_threshold(finest.threshold)
    return f"{auc}, {_format_kept(finest.recall.value)} at cosine {threshold}, {per_million} per million"
