"""The page of a comparison: one HTML file with answers, figures and tables, which runs and loads nothing."""

import base64
import hashlib
import re
import shlex
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from string import Template

from embshift.analysis.compared.catalogue import PRIMARY
from embshift.analysis.compared.results import Comparison
from embshift.core.paths import output_file
from embshift.core.version import __version__
from embshift.core.words import count_noun
from embshift.runs.files import write_text
from embshift.runs.targets import check_target
from embshift.show.comparison.figures import COMPARISON_FIGURES
from embshift.show.comparison.render import render_comparison
from embshift.show.figures import Page
from embshift.show.figures.layout.style import use_house_style
from embshift.show.text.compared import compared_cells, overview_cells, space_cells
from embshift.show.text.compared_answers import list_answers
from embshift.show.text.markup import Cells
from embshift.show.text.words import make_visible

__all__ = ["build_comparison_page", "write_comparison_page"]

_RESOLUTION = 200
"""Pixels per inch of the figures: sharp on a screen with twice as many pixels as usual."""

_CARDS = 4
"""Answers that stand as cards below the first; the others are folded."""

_METHOD = (
    "Runs are paired by image, by the whole specification of each transform, and by draw. The shared images"
    " are the gallery of every search.",
    "Intervals are over images: BCa for means, with the denominators of relative shifts resampled; Wilson's"
    " for proportions, Tango's for their differences.",
    '"Differs" is a two-sided test. No difference shown does not mean equal: that is what a margin asks.',
)


def write_comparison_page(found: Comparison, out: str | Path, /) -> Path:
    """Write the page, as a whole or not at all.

    Args:
        found: The comparison.
        out: Path of the file.

    Returns:
        The path.

    Raises:
        StorageError: If it cannot be written.
        UsageError: If a run keeps its results under this path, or it leads to anything else.
    """
    path = check_target(output_file(out), kind="comparison")
    write_text(path, build_comparison_page(found))
    return path


def build_comparison_page(found: Comparison, /) -> str:
    """Return the HTML file as text; names from outside are made visible and escaped."""
    style, page = _asset("comparison.css"), Template(_asset("comparison.html"))
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode()
    return page.substitute(
        digest=digest,
        style=style,
        version=__version__,
        heading=f"Comparison of {count_noun(len(found.runs), 'run')}",
        runs=" · ".join(_text(run.name) for run in found.runs),
        images=count_noun(found.images, "image"),
        transforms=count_noun(len(found.transforms), "transform"),
        answers=_write_answers(list_answers(found)),
        figures="\n".join(_write_figures(found)),
        tables="\n".join(_write_tables(found)),
        notes=_list_items(found.notes),
        method=_list_items(_METHOD),
        command=_text(_spell_command(found)),
    )


def _spell_command(found: Comparison) -> str:
    """Return a command that makes the same comparison."""
    words = ["embshift", "compare", *(run.folder for run in found.runs)]
    words += [] if found.by == PRIMARY else ["--by", found.by]
    asked = next((pair.verdicts for pair in found.pairs if pair.verdicts is not None), None)
    return shlex.join(words + ([] if asked is None else ["--margin", f"{asked.margin:.15g}"]))


def _asset(name: str) -> str:
    return (files("embshift.show.comparison") / "assets" / name).read_text(encoding="utf-8")


def _text(text: str) -> str:
    return escape(make_visible(text))


def _list_items(lines: Sequence[str]) -> str:
    return "\n".join(f"<li>{_text(line)}</li>" for line in lines)


def _write_answers(answers: Sequence[str]) -> str:
    """Return the first answer as the headline, the next ones as cards, and the rest folded."""
    lead, cards, rest = answers[0], answers[1 : 1 + _CARDS], answers[1 + _CARDS :]
    text = f'<p class="lead">{_shrink(_text(lead))}</p>'
    if cards:
        text += f'\n<ul class="answers">\n{_shrink(_list_items(cards))}\n</ul>'
    if rest:
        folded = f"<ul>\n{_list_items(rest)}\n</ul>"
        text += f"\n<details>\n<summary>{len(rest)} more answers</summary>\n{folded}\n</details>"
    return text


def _shrink(text: str) -> str:
    """Return text whose brackets of numbers stand back behind what they support."""
    return re.sub(r"\(greatest cosine shift [^()]*\)", r"<small>\g<0></small>", text)


def _write_figures(found: Comparison) -> Iterator[str]:
    for name, entry in COMPARISON_FIGURES.items():
        images = "\n".join(_write_image(page) for page in render_comparison(found, name, plain=True))
        legend = "".join(f'<p class="quiet">{_text(note)}</p>' for note in entry.notes(found))
        yield f'<section id="{name}">\n<h2>{_text(entry.question)}</h2>\n{images}\n{legend}\n</section>'


def _write_image(page: Page) -> str:
    held = BytesIO()
    with use_house_style():
        page.figure.savefig(held, format="png", dpi=_RESOLUTION)
    width, height = (round(130 * inches) for inches in page.figure.get_size_inches())
    data = base64.b64encode(held.getvalue()).decode()
    return (
        f'<div class="sheet" tabindex="0"><img src="data:image/png;base64,{data}" width="{width}"'
        f' height="{height}" alt="{_text(page.alt)}"></div>'
    )


def _write_tables(found: Comparison) -> Iterator[str]:
    level = f"{100 * found.level:g} %"
    if any(pair.space is not None for pair in found.pairs):
        yield _write_table(
            "Must I re-index?",
            space_cells(found),
            "Unchanged images by both encoders. Every image is measured, so these numbers have no interval."
            " Numeric floor: what computing the same pixels again changes.",
        )
    yield _write_table(
        f"{found.by.replace('_', ' ').capitalize()} of each transform",
        compared_cells(found),
        f"Mean and {level} interval of each run; difference to {found.runs[0].name} with the interval that"
        " holds for all transforms together; p by sign flips, adjusted for all transforms (max-T).",
    )
    yield _write_table(
        "Encoders",
        overview_cells(found),
        f"Mean and {level} interval; rank, and the ranks that the images leave open, jointly at {level}."
        " No number stands for all three.",
    )


def _write_table(title: str, cells: Cells, note: str) -> str:
    header, rows = cells
    head = "".join(f'<th scope="col">{_text(name.strip())}</th>' for name in header)
    body = "\n".join(_write_row(row) for row in rows)
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return (
        f'<section>\n<h2>{_text(title)}</h2>\n<div class="scroll" tabindex="0">\n{table}\n</div>\n'
        f'<p class="quiet">{_text(note)}</p>\n</section>'
    )


def _write_row(cells: Sequence[str]) -> str:
    first, *rest = cells
    written = "".join(f"<td>{_write_cell(cell)}</td>" for cell in rest)
    return f'<tr><th scope="row">{_text(first)}</th>{written}</tr>'


def _write_cell(cell: str) -> str:
    value, bracket, ends = cell.partition(" (")
    return f"{_text(value)}<small>({_text(ends)}</small>" if bracket else _text(value)
