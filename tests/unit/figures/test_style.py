"""A transform is known by its look in every figure, also by the colour-blind and on a copier."""

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from embshift.show.figures.layout.style import (
    assign_looks,
    darken_colour,
    heat_colour,
    ink_on,
    use_house_style,
)
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


def test_a_look_depends_on_the_place_in_the_plan_alone():
    few, many = assign_looks(NINE), assign_looks(THIRTY)
    assert {name: many[name] for name in NINE} == few
    assert assign_looks(("other",))["other"] == few[NINE[0]]


@pytest.mark.parametrize("count", [9, 30, 63])
def test_every_transform_differs_as_area_and_as_point(count):
    known = assign_looks([f"t{at}" for at in range(count)]).values()
    assert len({(look.colour, look.hatch) for look in known}) == count
    assert len({(look.colour, look.marker) for look in known}) == count


def test_thirty_six_curves_differ():
    known = assign_looks([f"t{at}" for at in range(36)]).values()
    assert len({(look.colour, look.line) for look in known}) == 36


@pytest.mark.parametrize("look", assign_looks(THIRTY).values(), ids=THIRTY)
def test_what_is_drawn_is_seen(look):
    assert contrast(look.edge, "white") >= 3
    assert contrast(look.text, "white") >= 4.5
    assert contrast(ink_on(look.colour), look.colour) >= 4.5
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
