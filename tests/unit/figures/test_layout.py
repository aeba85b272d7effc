"""Text that fits, labels that keep apart, panels that fill a page, curves that keep their area."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.stats import gaussian_kde

from embshift.show.figures.layout.density import bandwidth, density, has_density
from embshift.show.figures.layout.label_boxes import is_near, measure_ties, place_labels
from embshift.show.figures.layout.labels import (
    replace_unprintable,
    shorten_text,
    text_height,
    text_width,
    wrap_text,
)
from embshift.show.figures.layout.panels import make_grid, split_pages
from embshift.show.figures.layout.sheets import HIGHEST, Frame, open_sheet
from embshift.show.figures.layout.style import use_house_style
from embshift.show.figures.layout.trees import lay_out_tree
from embshift.show.text.names import join_names
from embshift.show.text.numbers import format_number

# Text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["random brightness contrast", "iiiill", "WWW", "0.972 ± 0.015", "…▲−"])
@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_text_is_as_wide_as_measured(text, weight):
    with use_house_style():
        figure = Figure(dpi=200)
        canvas = FigureCanvasAgg(figure)
        drawn = figure.text(0.5, 0.5, text, size=7.5, weight=weight)
        box = drawn.get_window_extent(canvas.get_renderer())
    assert box.width / 200 == pytest.approx(text_width(text, size=7.5, weight=weight), abs=0.012)
    assert box.height / 200 <= text_height(1, size=7.5)


WORDS = st.text("abcdefghij _", min_size=0, max_size=90)


@given(text=WORDS, width=st.floats(0.2, 3), size=st.sampled_from([5.5, 8.5]))
@settings(max_examples=80, deadline=None)
def test_wrapped_lines_fit_and_lose_nothing_that_fits(text, width, size):
    found = wrap_text(text, width=width, size=size)
    assert all(text_width(line, size=size) <= width for line in found)
    if all("…" not in line for line in found):
        assert "".join(" ".join(found).split()) == "".join(text.split())
    short = wrap_text(text, width=width, size=size, lines=2)
    assert len(short) <= 2
    assert short[:1] == found[:1] or len(found) == 1


def test_a_shortened_text_keeps_both_ends():
    found = shorten_text("an_uncommonly_long_name_7", width=0.7, size=6.5)
    assert found.startswith("an_")
    assert found.endswith("7")
    assert "…" in found
    assert text_width(found, size=6.5) <= 0.7


@pytest.mark.parametrize("text", ["WWiill__mm  AV—ee", "l" * 70 + " " + "W" * 20])
@pytest.mark.parametrize("width", [0.1, 0.4, 0.9])
def test_no_longer_text_would_have_fitted(text, width):
    shorter = [
        f"{text[: (kept + 1) // 2].rstrip()}…{text[len(text) - kept // 2 :].lstrip()}"
        for kept in range(len(text) - 1, 0, -1)
    ]
    fitting = [one for one in shorter if text_width(one, size=7) <= width]
    assert shorten_text(text, width=width, size=7) == (fitting[0] if fitting else "…")


def test_a_text_as_long_as_a_book_is_shortened():
    # Cut by one character at a time, this would take long.
    assert shorten_text("l" * 2_000 + "ong", width=0.5, size=7).endswith("long")


def test_where_nothing_fits_that_is_said():
    assert shorten_text("mmmm", width=0.13, size=8.5) == "…"
    assert shorten_text("mmmm", width=0.3, size=8.5) == "m…"


def test_lines_are_not_broken_where_they_must_not_be():
    assert wrap_text("one (1:\u00a0like\u00a0it)", width=0.8, size=8.5) == ["one", "(1:\u00a0like\u00a0it)"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4.4, "4.40"),
        (0.0451, "0.0451"),
        (-0.5, "−0.500"),
        (123.4, "123"),
        (-0.0, "0.00"),
        (np.nan, "–"),
        (0.99961, "1.00"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert format_number(value) == text


def test_a_small_negative_number_is_no_negative_zero():
    assert format_number(-0.001, places=2) == "0.00"
    assert format_number(-0.051, places=2) == "−0.05"


def test_what_the_font_lacks_is_replaced():
    assert replace_unprintable("a\u6d4b\n\x07é…") == "a\ufffd\ufffd\ufffdé…"


@pytest.mark.parametrize(
    ("count", "text"), [(0, ""), (1, "a"), (2, "a and b"), (3, "a, b and c"), (5, "a, b, c and 2 more")]
)
def test_names_as_words(count, text):
    assert join_names(list("abcde")[:count], most=3) == text


# Labels ---------------------------------------------------------------------------------------------------

POINTS = st.lists(st.tuples(st.floats(0, 3), st.floats(0, 2)), min_size=0, max_size=14)


@given(points=POINTS, widths=st.lists(st.floats(0.1, 1.6), min_size=14, max_size=14))
@settings(max_examples=40, deadline=None)
def test_labels_keep_apart_stay_inside_and_above_their_points(points, widths):
    sizes = [(width, 0.1) for width in widths[: len(points)]]
    found = place_labels(points, sizes, width=3.0)
    for at, (box, (_, y)) in enumerate(zip(found, points)):
        assert box.left >= 0
        assert box.left + box.width <= 3.0 + 1e-9
        assert box.low >= y
        assert not any(box.meets(other) for other in found[at + 1 :])


def test_a_label_alone_stands_on_its_point():
    (box,) = place_labels([(1.0, 0.5)], [(0.4, 0.1)], width=3.0)
    assert (box.left, box.low) == pytest.approx((0.8, 0.54))


CURVES = st.lists(st.tuples(st.floats(0, 3), st.floats(0.1, 2), st.floats(0.1, 1)), min_size=1, max_size=7)


@given(curves=CURVES, widths=st.lists(st.floats(0.1, 1.2), min_size=7, max_size=7))
@settings(max_examples=40, deadline=None)
def test_labels_stand_above_every_curve_below_them(curves, widths):
    at = np.linspace(0, 3, 400)
    lines = [height * np.exp(-(((at - middle) / spread) ** 2)) for middle, height, spread in curves]
    points = [(at[line.argmax()], line.max()) for line in lines]
    sizes = [(width, 0.1) for width in widths[: len(points)]]
    boxes = place_labels(points, sizes, width=3.0, skyline=np.max(lines, axis=0))
    for box in boxes:
        below = (at >= box.left) & (at <= box.left + box.width)
        assert box.low > max(line[below].max() for line in lines)
    if np.isfinite(measure_ties(points, boxes)):
        tied = [(point, box) for point, box in zip(points, boxes, strict=True) if not is_near(point, box)]
        assert not any(
            meets((point, box.foot), other) for point, box in tied for other in boxes if other is not box
        )


def meets(line, box):
    """Whether a line passes through a box, at a thousand of its points."""
    (x0, y0), (x1, y1) = line
    x, y = np.linspace(x0, x1, 1000), np.linspace(y0, y1, 1000)
    inside = (box.left < x) & (x < box.left + box.width) & (box.low < y) & (y < box.low + box.height)
    return bool(inside.any())


# Panels ---------------------------------------------------------------------------------------------------


@given(
    count=st.integers(1, 70),
    width=st.floats(2.4, 19),
    least=st.floats(0.3, 3),
    height=st.floats(0.3, 9),
)
def test_panels_fit_the_page_and_every_one_is_there(count, width, least, height):
    found = make_grid(count, width=width, least=least, height=height)
    assert found.columns * found.width <= width + 1e-9
    assert found.columns == 1 or found.width >= least - 1e-9
    pages = list(split_pages(range(count), found))
    assert [one for page in pages for one in page] == list(range(count))
    for page in pages:
        assert found.body(len(page)) <= max(HIGHEST, height) + 1e-9
        places = [found.place(at) for at in range(len(page))]
        assert len(set(places)) == len(page)
        assert max(top for _, top in places) + height <= found.body(len(page)) + 1e-9


def test_rows_are_as_even_as_they_can_be():
    assert make_grid(9, width=6.9, least=0.8, height=1).columns == 5 or 9 % 8 == 1
    assert make_grid(10, width=6.9, least=1.0, height=1).columns == 5


def test_a_sheet_is_as_high_as_what_stands_on_it():
    frame = Frame(title="Is it so?", width=3.3)
    plain = open_sheet(frame, body=1.0, notes=["note"])
    longer = open_sheet(frame, body=1.0, notes=["note " * 30])
    higher = open_sheet(frame, body=2.5, notes=["note"])
    assert longer.figure.get_figheight() > plain.figure.get_figheight() + 0.1
    assert higher.figure.get_figheight() - plain.figure.get_figheight() == pytest.approx(1.5)
    axes = plain.axes(0.5, 0.25, width=1.0, height=0.5)
    box = axes.get_position()
    assert box.x0 * 3.3 == pytest.approx(0.56)
    assert (1 - box.y1) * plain.figure.get_figheight() == pytest.approx(plain.head + 0.25)
    assert box.width * 3.3 == pytest.approx(1.0)


# Densities ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "error"), [(1000, 1e-12), (20_000, 2e-4)])
def test_density_is_scipys_away_from_the_bounds(count, error):
    values = np.random.default_rng(0).normal(5, 0.5, count)
    at = np.linspace(3, 7, 50)
    kernel = gaussian_kde(values, bw_method="scott")
    assert bandwidth(values) == pytest.approx(np.sqrt(kernel.covariance[0, 0]))
    np.testing.assert_allclose(density(values, at=at, bounds=(0, np.inf)), kernel(at), atol=error)


@given(
    values=st.lists(st.floats(0, 1), min_size=2, max_size=20),
    bounds=st.sampled_from([(0.0, 1.0), (0.0, np.inf), (-np.inf, np.inf)]),
)
@settings(max_examples=60, deadline=None)
def test_nothing_lies_beyond_the_bounds(values, bounds):
    values = np.array(values)
    if not has_density(values) or not 1e-3 < bandwidth(values) < 0.3:
        return  # one image beyond each bound is enough where kernels are narrower than the range
    low, high = max(bounds[0], -4.0), min(bounds[1], 5.0)
    at = np.linspace(low, high, 20_001)
    assert np.trapezoid(density(values, at=at, bounds=bounds), at) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("values", "spread"), [([], False), ([1.0], False), ([2.0, 2.0], False), ([1.0, 1.1], True)]
)
def test_a_spread_needs_two_different_values(values, spread):
    assert has_density(np.array(values)) is spread


# Trees ----------------------------------------------------------------------------------------------------


@given(leaves=st.integers(2, 12), seed=st.integers(0, 99), method=st.sampled_from(["average", "single"]))
@settings(max_examples=40, deadline=None)
def test_a_tree_has_its_leaves_side_by_side_and_its_merges_between(leaves, seed, method):
    tree = linkage(np.random.default_rng(seed).random((leaves, 3)), method=method)
    found = lay_out_tree(tree)
    assert list(found.order) == leaves_list(tree).tolist()
    assert sorted(found.along[:leaves]) == list(range(leaves))
    for merge, (one, other) in enumerate(found.joins, start=leaves):
        assert found.along[merge] == (found.along[one] + found.along[other]) / 2
        assert found.heights[merge] == tree[merge - leaves, 2]
        places = sorted(found.along[leaf] for leaf in found.leaves[merge])
        assert places == list(range(int(places[0]), int(places[-1]) + 1)), "no branch crosses another"
