"""A transform is known by its look in every figure, also by the colour-blind and on a copier."""

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex, to_rgb

from embshift.core.types import Field
from embshift.show.figures.kept_views import overlay_map
from embshift.show.figures.layout.heat import Scale
from embshift.show.figures.layout.style import (
    assign_looks,
    darken_colour,
    heat_colour,
    ink_on,
    use_house_style,
)
from embshift.show.figures.material import EncoderMap
from embshift.show.figures.render import render_page
from embshift.show.report.parts.palette import heat_colours, map_colours, transform_colours
from embshift.transforms import TRANSFORMS
from tests.synthetic_runs import NINE, THIRTY

# Machado, Oliveira & Fernandes 2009, severity 1.0, for linear RGB.
SIGHT = {
    "usual": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear(colour):
    shares = np.array(to_rgb(colour))
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIELAB of linear sRGB, white D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / (0.9505, 1.0, 1.089)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one, other):
    light = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


@pytest.mark.parametrize("sight", list(SIGHT))
def test_nine_colours_stay_apart_for_every_sight(sight):
    seen = [lab(SIGHT[sight] @ linear(look.colour)) for look in assign_looks(NINE).values()]
    # 2.3 is a just noticeable difference (Mahy et al. 1994); neighbours on a page need a multiple of it.
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 12


LEVELS = tuple(f"{name}_s{severity}" for name in NINE for severity in range(1, 6))
MANY = tuple(f"t{at}" for at in range(36))


SOME = (*NINE, "jpeg", "rotate", "crop", "gamma", "mine", "yours", "blur_s1", "blur_s5", "jpeg_x2_5")


@given(st.permutations(SOME), st.integers(min_value=1, max_value=len(SOME)))
def test_a_transform_keeps_its_colour_in_every_plan(names, count):
    whole, found = assign_looks(SOME), assign_looks(names[:count])
    assert list(found) == names[:count]
    assert [look.colour for look in found.values()] == [whole[name].colour for name in names[:count]]


@given(st.permutations(THIRTY))
def test_a_look_does_not_depend_on_the_order(names):
    assert assign_looks(names) == assign_looks(THIRTY)


def test_the_nine_of_the_paper_have_plain_colours_of_their_own_in_every_company():
    alone, among = assign_looks(NINE), assign_looks((*reversed(THIRTY), "mine", "blur_s3", "jpeg"))
    assert len({look.colour for look in alone.values()}) == len(NINE)
    assert {look.hatch for look in alone.values()} == {""}
    assert {name: among[name] for name in NINE} == alone


@pytest.mark.parametrize("sight", list(SIGHT))
def test_a_tenth_transform_has_a_colour_that_is_apart_from_the_nine(sight):
    looks = assign_looks((*NINE, "jpeg")).values()
    seen = [lab(SIGHT[sight] @ linear(look.colour)) for look in looks]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 12
    assert {look.hatch for look in looks} == {""}


def test_names_of_other_packages_have_no_colour_of_the_paper():
    theirs = {look.colour for look in assign_looks([f"their_{at}th" for at in range(200)]).values()}
    assert len(theirs) == 18
    assert theirs.isdisjoint(look.colour for look in assign_looks(NINE).values())


def test_bundled_transforms_are_apart_in_their_colours():
    known = [name for name in TRANSFORMS if assign_looks((*TRANSFORMS, name))[name].hatch == ""]
    colours = {assign_looks([name])[name].colour for name in known}
    assert len(colours) == len(known) >= 27


@given(st.lists(st.text(max_size=12), min_size=1, max_size=60, unique=True))
def test_the_colour_of_a_name_follows_from_the_name_alone(names):
    together = assign_looks(names)
    alone = {name: assign_looks([name])[name] for name in names}
    assert {name: look.colour for name, look in together.items()} == {
        name: look.colour for name, look in alone.items()
    }


def test_many_strengths_of_one_transform_keep_its_colour():
    looks = assign_looks(["jpeg", *(f"jpeg_{at}" for at in range(30))]).values()
    assert {look.colour for look in looks} == {assign_looks(["jpeg"])["jpeg"].colour}


def test_severities_are_shades_of_one_hue_from_light_to_dark():
    for name in (*NINE, *TRANSFORMS, "mine"):
        looks = assign_looks([f"{name}_s{at}" for at in range(1, 6)])
        light = [linear(look.colour) @ [0.2126, 0.7152, 0.0722] for look in looks.values()]
        assert (np.diff(light) < -0.008).all()
        assert looks[f"{name}_s3"].colour == assign_looks((name,))[name].colour
        assert assign_looks((f"{name}_s5",))[f"{name}_s5"] == looks[f"{name}_s5"]


def test_strengths_have_the_hue_of_their_transform():
    looks = assign_looks(("jpeg", "jpeg_95", "jpeg_x12_5", "jpeg_x3"))
    assert len({look.colour for look in looks.values()}) == 1
    assert len({look.hatch for look in looks.values()}) == 4


@pytest.mark.parametrize("names", [NINE, THIRTY, LEVELS, MANY, tuple(f"jpeg_{at}" for at in range(12))])
def test_every_transform_differs_as_area_as_point_and_as_curve(names):
    known = assign_looks(names).values()
    assert len({(look.colour, look.hatch) for look in known}) == len(names)
    assert len({(look.edge, look.marker) for look in known}) == len(names)
    assert len({(look.edge, look.line) for look in known}) == len(names)


@pytest.mark.parametrize("look", assign_looks((*THIRTY, *LEVELS)).values(), ids=(*THIRTY, *LEVELS))
def test_what_is_drawn_is_seen(look):
    assert contrast(look.edge, "white") >= 3
    assert contrast(look.text, "white") >= 4.5
    assert contrast(ink_on(look.colour), look.colour) >= 4.2
    if look.hatch:
        assert contrast(look.over, look.colour) >= 1.7


def test_numbers_are_read_on_every_cell_of_a_heat_map():
    for share in np.linspace(0, 1, 101):
        colour = heat_colour(share)
        assert contrast(ink_on(colour), colour) >= 4


def test_a_heat_map_grows_lighter_throughout():
    light = [linear(heat_colour(share)) @ [0.2126, 0.7152, 0.0722] for share in np.linspace(0, 1, 101)]
    assert (np.diff(light) > 0).all()


def test_a_colour_that_is_dark_enough_stays():
    assert darken_colour("#332288", contrast=4.5).upper() == "#332288"
    assert darken_colour("#DDCC77", contrast=4.5).upper() != "#DDCC77"


def test_settings_come_back_also_after_an_error():
    seen = {}

    def fail():
        seen.update(mpl.rcParams)
        raise ZeroDivisionError

    with mpl.rc_context({"font.size": 31.0}):
        with pytest.raises(ZeroDivisionError), use_house_style():
            fail()
        assert mpl.rcParams["font.size"] == 31.0
    assert (seen["font.size"], seen["svg.fonttype"], seen["pdf.fonttype"]) == (6.5, "none", 42)


def test_the_report_has_the_colours_of_the_figures():
    names = (*NINE, "jpeg_x3", "blur_s5")
    assert [one["light"] for one in transform_colours(names)] == [
        look.edge for look in assign_looks(names).values()
    ]


def test_darker_is_further_in_figures_and_in_the_report():
    """Both take one scale from dark to light: the shares that they look up are those of likeness."""
    fills = [linear(one["fill"]) @ [0.2126, 0.7152, 0.0722] for one in heat_colours()]
    assert (np.diff(fills) > 0).all()
    scale = Scale.to_one(np.array([0.2, 0.9]), label="")
    assert scale.share(0.2) < scale.share(0.9)


@pytest.mark.parametrize("name", ["clustermap", "sample_heatmap"])
def test_heat_maps_and_their_scale_have_the_colours_of_the_report(name, material):
    fills = [one["fill"] for one in heat_colours()]
    page = render_page(material, name)
    shown = [image for axes in page.figure.axes for image in axes.images]
    assert len(shown) >= 2  # the cells, and the scale below them
    for image in shown:
        assert image.norm.vmin < image.norm.vmax
        assert [to_hex(image.cmap(share)) for share in (0.0, 1.0)] == [fills[0], fills[-1]]


def test_maps_are_brightest_where_they_are_greatest_in_figures_and_in_the_report():
    in_report = np.array(map_colours())
    assert (np.diff(in_report.sum(axis=1)) > 0).all()
    shares = np.array([[0.0, 1.0]])
    found = EncoderMap(shares=shares, field=Field(top=0, left=0, height=1, width=2))
    in_figures = overlay_map(np.zeros((1, 2, 3), np.uint8), found)[0]
    np.testing.assert_allclose(in_figures, 0.6 * in_report[[0, -1]], atol=1)
