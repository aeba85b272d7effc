"""Layer profile: how far originals and views are apart after each layer of the network."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes

from embshift.analysis.of_explained import LayerMeans
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.labels import format_name, shorten_text, text_height, text_width
from embshift.show.figures.layout.panels import Grid, make_grid
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import SIZES, Look, assign_looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number

__all__ = ["layer_profile"]

_PLOT = 1.1
"""Height of a panel in inches."""

_LINE = 0.13
"""Height of a line of the key in inches."""

_TICKS = 6
"""Number of layers, after the first, up to which each has its tick."""

_PANELS = ("cosine of the token read", "cosine of aligned patches", "CKA over images")
"""What the panels show, from the left."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Profile:
    """One measure over the layers, with its interval where it has one.

    Attributes:
        value: The measure; NaN where it is not defined.
        low: Lower end; NaN where there is no interval.
        high: Upper end.
    """

    value: Float64[np.ndarray, " layers"]
    low: Float64[np.ndarray, " layers"]
    high: Float64[np.ndarray, " layers"]


_Profiles = Mapping[str, tuple[_Profile, ...]]


@figure(
    name="layer_profile",
    question="After which layer do originals and views drift apart?",
    shows="cosine of the token that is read, cosine of aligned patches, and CKA after each layer, a line for"
    " each transform",
    source="own: explanations",
    more_shift="down",
    needs_metrics=(),
    needs_explanation=True,
    needs="an explanation, made by embshift explain",
)
def layer_profile(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render one panel for each measure, with a line for each transform, and a key below."""
    found = material.explanation
    layers = {name: found.layers(name) for name in found.transforms}
    profiles = {name: _list_profiles(one) for name, one in layers.items()}
    looks = assign_looks(material.run.transforms)
    head = text_height(1, size=SIZES.label) + 0.04
    places = make_grid(len(_PANELS), width=frame.inner, least=1.5, height=head + _PLOT + 0.36)
    key = _arrange_key(list(profiles), frame)
    body = places.body(len(_PANELS)) + key.body(len(profiles))
    sheet = open_sheet(frame, body=body, notes=_write_notes(material, layers))
    gutter, low = text_width("−0.75", size=SIZES.small) + 0.07, _scale_start(profiles)
    for at, label in enumerate(_PANELS):
        left, upper = places.place(at)
        sheet.text(left, upper, label, weight="bold")
        size = {"width": places.width - gutter - 0.12, "height": _PLOT}
        axes = sheet.axes(left + gutter, upper + head, **size)
        _add_lines(axes, {name: values[at] for name, values in profiles.items()}, looks, low=low)
    _add_key(sheet, key, list(profiles), looks, top=places.body(len(_PANELS)))
    yield Page(figure=sheet.figure, alt=_write_alt(material, profiles))


def _list_profiles(one: LayerMeans) -> tuple[_Profile, ...]:
    means = (one.cosine.estimates, one.patch_cosine.estimates)
    none = np.full(len(one.similarity), np.nan)
    return (
        *(_Profile(value=each.mean, low=each.low, high=each.high) for each in means),
        _Profile(value=one.similarity, low=none, high=none),
    )


def _write_notes(material: Material, layers: Mapping[str, LayerMeans]) -> list[str]:
    images = max((int(one.cosine.estimates.n.max()) for one in layers.values()), default=0)
    return [
        f"{images:,} image{'s' * (images != 1)} · encoder {material.encoder}",
        f"means over images, 1: like the original{_describe_bands(layers)} · patches aligned by the"
        " transform’s coordinate map · CKA needs four images, and has no interval · layers count from 0",
    ]


def _describe_bands(layers: Mapping[str, LayerMeans]) -> str:
    """Name the bands, if any mean has an interval."""
    if all(np.isnan(one.cosine.estimates.low).all() for one in layers.values()):
        return ""
    level = next(iter(layers.values())).cosine.level
    return f" · bands: {100 * level:.3g} % intervals"


def _scale_start(profiles: _Profiles) -> float:
    """Return the quarter below the smallest value, and 0.75 at most."""
    values = np.concatenate(
        [end for one in profiles.values() for part in one for end in (part.value, part.low)]
    )
    known = values[~np.isnan(values)]
    return min(math.floor(4 * float(known.min(initial=1.0))) / 4, 0.75)


def _add_lines(axes: Axes, lines: Mapping[str, _Profile], looks: Mapping[str, Look], *, low: float) -> None:
    known = False
    for name, one in lines.items():
        look, known = looks[name], known or not np.isnan(one.value).all()
        at = np.arange(len(one.value))
        axes.fill_between(at, one.low, one.high, color=look.colour, alpha=0.18, linewidth=0)
        axes.plot(
            at,
            one.value,
            color=look.edge,
            markerfacecolor=look.colour,
            linestyle=look.line,
            marker=look.marker,
            markersize=2.6,
            clip_on=False,
        )
    most = max(len(one.value) for one in lines.values()) - 1
    axes.set_xlim(-0.15, max(most, 1) + 0.15)
    axes.set_ylim(low, 1)
    axes.set_xticks(range(most + 1) if most <= _TICKS else sorted({0, most // 2, most}))
    axes.set_yticks([low, (low + 1) / 2, 1], [f"{tick:.3g}" for tick in (low, (low + 1) / 2, 1)])
    axes.tick_params(labelsize=SIZES.small)
    axes.grid(visible=True, axis="y")
    axes.set_xlabel("layer")
    if not known:
        axes.text(0.5, 0.5, "undefined", transform=axes.transAxes, ha="center", size=SIZES.small)


def _arrange_key(names: Sequence[str], frame: Frame) -> Grid:
    widest = max(text_width(format_name(name), size=SIZES.small) for name in names) + 0.35
    return make_grid(len(names), width=frame.inner, least=min(widest, frame.inner / 2), height=_LINE)


def _add_key(sheet: Sheet, key: Grid, names: Sequence[str], looks: Mapping[str, Look], *, top: float) -> None:
    canvas = sheet.canvas()
    for at, name in enumerate(names):
        left, upper = key.place(at)
        look, middle = looks[name], top + upper + _LINE / 2
        canvas.plot(
            [left + 0.02, left + 0.12, left + 0.22],
            [middle] * 3,
            color=look.edge,
            markerfacecolor=look.colour,
            linestyle=look.line,
            marker=look.marker,
            markevery=[1],
            markersize=3.4,
            scalex=False,
            scaley=False,
        )
        text = shorten_text(format_name(name), width=key.width - 0.35, size=SIZES.small)
        sheet.text(left + 0.27, middle, text, size=SIZES.small, va="center")


def _write_alt(material: Material, profiles: _Profiles) -> str:
    each = "; ".join(f"{format_name(name)}: {_format_ends(values)}" for name, values in profiles.items())
    return (
        f"Lines of three measures over the layers, from the first layer to the last, by encoder"
        f" {material.encoder}: {each}."
    )


def _format_ends(profiles: Sequence[_Profile]) -> str:
    return ", ".join(
        f"{label} {_format_end(one.value[0])} to {_format_end(one.value[-1])}"
        for label, one in zip(_PANELS, profiles, strict=True)
    )


def _format_end(value: float) -> str:
    return "undefined" if math.isnan(value) else format_number(float(value), places=3)
