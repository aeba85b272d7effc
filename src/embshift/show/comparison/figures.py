"""Figures of compared runs: paired differences, and stability beside what it may cost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from embshift.analysis.compared.catalogue import COMPARED
from embshift.analysis.compared.results import ComparedPair, Comparison
from embshift.analysis.compared.stability import OVERVIEW
from embshift.core.named import Named
from embshift.core.types import Direction
from embshift.core.words import count_noun
from embshift.show.comparison.points import ERROR, Point, add_points, choose_scale, set_scale
from embshift.show.figures import Page
from embshift.show.figures.layout.labels import format_name, shorten_text, text_height, text_width, wrap_text
from embshift.show.figures.layout.panels import Grid, make_grid, split_pages
from embshift.show.figures.layout.rows import SWATCH, add_names_beside, fit_row, name_width
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import SIZES, Look, assign_looks
from embshift.show.text.numbers import spell_number

__all__ = ["COMPARISON_FIGURES", "ComparisonFigure"]

RenderComparison: TypeAlias = Callable[[Comparison, Frame], Iterator[Page]]
WriteNotes: TypeAlias = Callable[[Comparison], list[str]]

_GAP, _FOOT = 0.14, 0.2
"""Inches between panels, and for the numbers of the scale below them."""

_NARROWEST = 1.1
"""Inches of the narrowest panel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonFigure:
    """A figure of compared runs.

    Attributes:
        question: The question that it answers; its title.
        notes: Returns what is shown, in paragraphs below the title.
        render: Takes ``(comparison, frame)`` and yields the pages.
    """

    question: str
    notes: WriteNotes
    render: RenderComparison


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """A panel of a figure: one column of points.

    Attributes:
        title: Its title, in one line or several.
        points: One for each row.
        scale: Lower and upper end of the scale.
        zero: Whether a line marks 0.
    """

    title: str
    points: tuple[Point, ...]
    scale: tuple[float, float]
    zero: bool


def render_differences(found: Comparison, frame: Frame, /) -> Iterator[Page]:
    """Render one panel for each run beside the reference: its difference under every transform."""
    at = found.statistics.index(found.by)
    points = [_list_differences(pair, column=at, found=found) for pair in found.pairs]
    scale = choose_scale([one for part in points for one in part], through=0.0)
    panels = [
        _Panel(title=pair.name, points=part, scale=scale, zero=True)
        for pair, part in zip(found.pairs, points, strict=True)
    ]
    notes = _note_differences(found)
    marks = list(assign_looks(found.transforms).values())
    for page, shown in _lay_out(frame, panels, names=found.transforms, notes=notes, marks=marks):
        yield Page(figure=page.figure, alt=_describe_differences(found, [one.title for one in shown]))


def _note_differences(found: Comparison) -> list[str]:
    lower = COMPARED[found.by].direction is Direction.LOWER
    return [
        f"{count_noun(found.images, 'image')} · difference in {format_name(found.by)} to"
        f" {found.runs[0].name} · more shift: {'right' if lower else 'left'}",
        f"point: mean difference · thick line: its {100 * found.level:g} % interval · thin line: interval"
        f" that holds for all transforms together · filled: p ≤ {ERROR:g} (sign flips, adjusted by max-T)",
    ]


def _list_differences(pair: ComparedPair, *, column: int, found: Comparison) -> tuple[Point, ...]:
    ends = pair.differences
    parts = (ends.mean, ends.low, ends.high, ends.joint_low, ends.joint_high)
    return tuple(
        Point(
            *(float(part[at, column]) for part in parts),
            sure=bool(pair.adjusted[at] <= ERROR),
        )
        for at in range(len(found.transforms))
    )


def _describe_differences(found: Comparison, shown: Sequence[str]) -> str:
    at = found.statistics.index(found.by)
    parts = list[str]()
    for pair in found.pairs:
        if pair.name in shown:
            own = pair.differences
            ends = zip(found.transforms, own.mean[:, at], own.low[:, at], own.high[:, at], strict=True)
            each = "; ".join(
                f"{format_name(name)} {spell_number(float(mean))}"
                f" ({spell_number(float(low))} to {spell_number(float(high))})"
                for name, mean, low, high in ends
            )
            parts.append(f"{pair.name}: {each}")
    return (
        f"Differences in {format_name(found.by)} to {found.runs[0].name} under each transform, with"
        f" intervals. {'. '.join(parts)}."
    )


def render_encoders(found: Comparison, frame: Frame, /) -> Iterator[Page]:
    """Render every run by relative shift, recall@1 and separation: no number stands for all of them."""
    panels = [_make_overview(found, column) for column in range(len(OVERVIEW))]
    notes = _note_encoders(found)
    names = [run.name for run in found.runs]
    for page, shown in _lay_out(frame, panels, names=names, notes=notes):
        yield Page(figure=page.figure, alt=_describe_encoders(found, [one.title for one in shown]))


def _note_encoders(found: Comparison) -> list[str]:
    return [
        f"{count_noun(found.images, 'image')}, {count_noun(len(found.transforms), 'transform')}",
        "relative shift and recall@1: means over transforms · separation: distance to the nearest other image"
        f" over the mean distance to all · line: {100 * found.level:g} % interval · an encoder that keeps"
        " nothing apart hardly moves",
    ]


_TITLES = ("relative shift\n← more stable", "recall@1\nfinds more →", "separation\nkeeps apart →")


def _make_overview(found: Comparison, column: int) -> _Panel:
    points = tuple(
        Point(
            *(float(part[0, column]) for part in (one.mean, one.low, one.high, one.low, one.high)), sure=True
        )
        for one in found.overview.estimates
    )
    scale = choose_scale(points, through=0.0)
    return _Panel(title=_TITLES[column], points=points, scale=scale, zero=False)


def _describe_encoders(found: Comparison, shown: Sequence[str]) -> str:
    columns = [at for at, title in enumerate(_TITLES) if title in shown]
    each = "; ".join(
        f"{name}: "
        + ", ".join(f"{format_name(OVERVIEW[at])} {spell_number(float(one.mean[0, at]))}" for at in columns)
        for name, one in zip(found.overview.runs, found.overview.estimates, strict=True)
    )
    return f"Every run by stability, recall and separation. {each}."


def _lay_out(
    frame: Frame,
    panels: Sequence[_Panel],
    *,
    names: Sequence[str],
    notes: Sequence[str],
    marks: Sequence[Look] = (),
) -> Iterator[tuple[Sheet, Sequence[_Panel]]]:
    """Yield pages of panels whose rows have the same names, and the panels of each."""
    height = len(names) * fit_row(0.19 if len(names) <= 12 else 0.14, count=len(names))
    gutter = name_width(names, most=0.4 * frame.inner) + 0.08 + (SWATCH if marks else 0.0)
    places = _arrange(panels, frame, gutter=gutter, height=height)
    head = places.height - height - _FOOT
    for page in split_pages(panels, places):
        sheet = open_sheet(frame, body=places.body(len(page)), notes=notes)
        for at, panel in enumerate(page):
            left, top = places.place(at)
            width = places.width - _GAP
            axes = sheet.axes(gutter + left, top + head, width=width, height=height)
            axes.set_ylim(len(names) - 0.5, -0.5)
            first = at % places.columns == 0
            own, looks = (names, marks) if first else ([""] * len(names), ())
            add_names_beside(axes, own, width=gutter - 0.08, panel=width, marks=looks)
            set_scale(axes, panel.scale, zero=panel.zero)
            add_points(axes, panel.points)
            lines = _wrap_title(panel.title, width=width)
            sheet.text(
                gutter + left,
                top + head - 0.05 - text_height(len(lines), size=SIZES.label),
                "\n".join(lines),
                weight="bold",
                linespacing=1.1,
            )
        yield sheet, page


def _arrange(panels: Sequence[_Panel], frame: Frame, *, gutter: float, height: float) -> Grid:
    width = frame.inner - gutter
    words = [word for panel in panels for line in panel.title.split("\n") for word in line.split(" ")]
    longest = max(text_width(word, size=SIZES.label, weight="bold") for word in words)
    least = min(width, max(_NARROWEST, longest + _GAP + 0.02))
    columns = make_grid(len(panels), width=width, least=least, height=1.0).width - _GAP
    lines = max(len(_wrap_title(panel.title, width=columns)) for panel in panels)
    head = text_height(lines, size=SIZES.label) + 0.1
    high = max(frame.highest, head + height + _FOOT)
    return make_grid(len(panels), width=width, least=least, height=head + height + _FOOT, wide=4.6, high=high)


def _wrap_title(title: str, *, width: float) -> list[str]:
    parts = title.split("\n")
    if len(parts) > 1:
        return [shorten_text(one, width=width, size=SIZES.label, weight="bold") for one in parts]
    return wrap_text(title, width=width, size=SIZES.label, lines=2, weight="bold")


COMPARISON_FIGURES: Mapping[str, ComparisonFigure] = Named(
    kind="figure",
    things={
        "differences": ComparisonFigure(
            question="Which transforms move the other runs more, and which less?",
            notes=_note_differences,
            render=render_differences,
        ),
        "encoders": ComparisonFigure(
            question="Which encoder is stable, and still tells images apart?",
            notes=_note_encoders,
            render=render_encoders,
        ),
    },
)
"""The figures of compared runs, by name."""
