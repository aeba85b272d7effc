"""Heat map of the cosines of fifty seeded images under every transform (S17)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.core.seeding import make_generator
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.heat import Scale, add_cells, add_colour_bar, colour_bar_height
from embshift.show.figures.layout.labels import format_name, text_height, text_width
from embshift.show.figures.layout.rows import add_names_beside, fit_row, name_width
from embshift.show.figures.layout.sheets import Frame, open_sheet
from embshift.show.figures.layout.style import SIZES, assign_looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number

__all__ = ["sample_heatmap"]

_SAMPLE = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sample:
    """Cosines of a sample of images, from the least moved image to the most."""

    rows: Int64[np.ndarray, " images"]
    cosines: Float64[np.ndarray, "images transforms"]
    of: int


@figure(
    name="sample_heatmap",
    question="Does a transform move all images equally?",
    shows="cosine of 50 seeded images under every transform",
    source="Fig. 9",
    more_shift="dark",
    needs_metrics=("cosine",),
)
def sample_heatmap(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render a row for each transform in the order of the plan and a column for each image by mean cosine."""
    sample, names = _choose_sample(material), material.run.transforms
    gutter = name_width(names, most=0.46 * frame.inner) + 0.19
    row = fit_row(0.19 if len(names) <= 12 else 0.15, count=len(names), below=0.6)
    width, height = frame.inner - gutter - 0.12, len(names) * row
    digits = max(text_width(str(row), size=SIZES.small) for row in sample.rows.tolist())
    below = digits + 0.1 + text_height(1, size=SIZES.label)
    scale = Scale.to_one(
        sample.cosines,
        label="cosine between embeddings (1:\u00a0same\u00a0direction, darker:\u00a0further)",
    )
    bar = min(width, 2.6)
    undefined = ["crossed: undefined"] if np.isnan(sample.cosines).any() else []
    sheet = open_sheet(
        frame,
        body=height + below + 0.1 + colour_bar_height(scale, width=bar),
        notes=[
            f"{len(sample.rows):,} of {sample.of:,} images, drawn with the run's seed · encoder"
            f" {material.encoder}",
            "images from the least moved on average to the most",
            *undefined,
        ],
    )
    axes = sheet.axes(gutter, 0, width=width, height=height)
    add_cells(axes, sample.cosines.T, scale=scale, size=(width, height))
    add_names_beside(
        axes,
        names,
        width=gutter - 0.05,
        panel=width,
        marks=list(assign_looks(material.run.transforms).values()),
    )
    every = max(1, int(np.ceil((text_height(1, size=SIZES.small) + 0.02) * len(sample.rows) / width)))
    at = range(0, len(sample.rows), every)
    axes.set_xticks(list(at), [str(sample.rows[one]) for one in at], rotation=90, fontsize=SIZES.small)
    axes.set_xlabel("image (row of the listing)")
    add_colour_bar(sheet, gutter, height + below + 0.1, width=bar, scale=scale)
    yield Page(figure=sheet.figure, alt=_write_alt(material, sample))


def _choose_sample(material: Material) -> _Sample:
    cosines = material.select_metric("cosine")
    known = np.flatnonzero(~np.isnan(cosines).all(axis=1))
    rng = make_generator(material.run.info["plan"]["seed"], "sample_heatmap")
    drawn = np.sort(rng.permutation(known)[:_SAMPLE])
    order = drawn[np.argsort(-np.nanmean(cosines[drawn], axis=1), kind="stable")]
    return _Sample(
        rows=material.values.rows[order], cosines=cosines[order], of=_count_known(material, len(known))
    )


def _count_known(material: Material, held: int) -> int:
    """Return the number of images with a cosine; of many, that of all with a value, which are not held."""
    return held if material.part is None else material.part.measured


def _write_alt(material: Material, sample: _Sample) -> str:
    parts = list[str]()
    for name, column in zip(material.run.transforms, sample.cosines.T, strict=True):
        defined = column[~np.isnan(column)]
        ends = (
            f"{format_number(float(defined.min()))} to {format_number(float(defined.max()))}"
            if len(defined)
            else "undefined"
        )
        parts.append(f"{format_name(name)} {ends}")
    return (
        f"Heat map of the cosine between the embeddings of original and view for {len(sample.rows):,} images;"
        f" smallest to largest by transform: {'; '.join(parts)}."
    )
