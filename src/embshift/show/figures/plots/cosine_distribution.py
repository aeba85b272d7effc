"""Distribution of the cosines over images for every transform (S20), with mean and standard deviation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from embshift.show.figures import Page, figure
from embshift.show.figures.layout.density import bandwidth, has_density
from embshift.show.figures.layout.labels import format_name, text_width
from embshift.show.figures.layout.ridges import add_ridge
from embshift.show.figures.layout.rows import RowChart, open_row_chart
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import INK, SIZES, Look, assign_looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number

__all__ = ["cosine_distribution"]

_BOUNDS = (-1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Row:
    """Cosines of one transform over images."""

    name: str
    look: Look
    values: Float64[np.ndarray, " images"]
    mean: float
    deviation: float

    @property
    def text(self) -> str:
        """Mean and standard deviation, for readers."""
        spread = "" if np.isnan(self.deviation) else f" ± {format_number(self.deviation, places=3)}"
        return f"{format_number(self.mean, places=3)}{spread}"


@figure(
    name="cosine_distribution",
    question="How far does the embedding of each image turn?",
    shows="distribution of the cosine over images for each transform, with mean and standard deviation",
    source="Sec. 4",
    more_shift="left",
    needs_metrics=("cosine",),
)
def cosine_distribution(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render one curve for each transform, closest first, above its mean and standard deviation."""
    rows = _make_rows(material)
    beside = max(text_width(row.text, size=SIZES.small) for row in rows) + 0.1
    chart = open_row_chart(
        frame,
        names=[row.name for row in rows],
        label="cosine between embeddings",
        notes=[
            material.format_sample(["cosine"]),
            f"curve: kernel density over {material.name_images()}, each scaled to its own peak · dot: mean ·"
            " line: ± one standard deviation, as on the right · 1 is the original's direction",
        ],
        row=0.3 if len(rows) <= 12 else 0.23,
        beside=beside,
    )
    low = _scale_start(rows)
    chart.axes.set_xlim(low, 1.0)
    chart.axes.grid(visible=True, axis="x")
    for at, row in enumerate(rows):
        _add_row(chart, row, at=at, low=low)
    yield Page(figure=chart.sheet.figure, alt=_write_alt(material, rows))


def _make_rows(material: Material) -> list[_Row]:
    columns, known = material.select_metric("cosine"), assign_looks(material.run.transforms)
    rows = [
        _Row(
            name=row.transform,
            look=known[row.transform],
            values=columns[~np.isnan(columns[:, at]), at],
            mean=row.cells["cosine"].mean,
            deviation=row.cells["cosine"].deviation,
        )
        for at, row in enumerate(material.summary.rows)
    ]
    return sorted(rows, key=lambda row: np.inf if np.isnan(row.mean) else -row.mean)


def _scale_start(rows: Sequence[_Row]) -> float:
    """Return the tenth below all that is shown, so that every curve ends within the panel or at the bound."""
    ends = [row.mean - row.deviation for row in rows if not np.isnan(row.deviation)]
    ends += [float(row.values.min()) for row in rows if len(row.values)]
    ends += [float(row.values.min()) - 2 * bandwidth(row.values) for row in rows if has_density(row.values)]
    return max(-1.0, float(np.floor(min(ends) * 10 - 0.2)) / 10)


def _add_row(chart: RowChart, row: _Row, *, at: int, low: float) -> None:
    axes, base = chart.axes, at + 0.22
    add_ridge(axes, row.values, base=base, look=row.look, span=(low, 1.0), bounds=_BOUNDS)
    axes.annotate(
        row.text if len(row.values) else "undefined",
        (1.0, at),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        size=SIZES.small,
        annotation_clip=False,
    )
    if not np.isnan(row.deviation):
        ends = np.clip([row.mean - row.deviation, row.mean + row.deviation], *_BOUNDS)
        axes.plot(ends, [base + 0.12] * 2, color=INK, linewidth=0.8, clip_on=False)
    axes.plot(row.mean, base + 0.12, "o", color=INK, markersize=2.4, clip_on=False)


def _write_alt(material: Material, rows: Sequence[_Row]) -> str:
    each = "; ".join(f"{format_name(row.name)} {row.text}" for row in rows)
    return (
        f"Distribution over images of the cosine between the embeddings of original and view, closest first,"
        f" as mean ± standard deviation: {each}. {material.format_sample(['cosine'])}."
    )
