"""Figures of an explanation: what is marked, and what the alt texts say."""

import re
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex

from embshift.analysis.of_explained_maps import read_maps
from embshift.core.errors import FigureError
from embshift.show.figures.layout.network_grid import lay_out_network
from embshift.show.figures.layout.signed import SignedScale
from embshift.show.figures.layout.style import assign_looks
from embshift.show.figures.material import Material
from embshift.show.figures.render import FULL, render_pages
from embshift.show.text.numbers import format_number
from tests.drawn_text import drawn_text
from tests.explained_views import WORDS, write_words
from tests.synthetic_runs import NINE, Wanted, make_run


def places(components):
    """The left and upper side of every component's cell, in cells."""
    grid = lay_out_network(components, cell=0.1)
    return {
        name: (round(box.left / 0.1, 6), round(box.low / 0.1, 6))
        for name, box in zip(components, grid.cells, strict=True)
    }


def test_heads_and_mlps_are_in_the_row_of_their_layer():
    found = places(("stem", "head.0.0", "head.0.1", "mlp.0", "head.1.0", "head.1.1", "mlp.1", "bias"))
    assert found["head.0.1"] == (1, 0)
    assert found["head.1.0"] == (0, 1)
    assert found["mlp.0"][0] == found["mlp.1"][0] > 2
    assert found["mlp.1"][1] == 1
    assert found["bias"][1] > found["stem"][1] > 2


def test_other_components_have_rows_of_their_own():
    found = places(("head.0.0", "head.0.1", "mlp.0", "pool.0", "pool.1", "norm_scale"))
    assert found["pool.0"][1] == found["pool.1"][1] > 1
    assert (found["pool.1"][0], found["norm_scale"][0]) == (1, 0)
    assert found["norm_scale"][1] > found["pool.0"][1]


def test_without_layers_the_rows_start_at_the_top():
    assert places(("what", "where.0", "where.1"))["what"] == (0, 0)


@pytest.mark.parametrize("heads", [4, 12, 24])
def test_labels_of_the_grid_are_apart(heads):
    names = [f"head.{layer}.{head}" for layer in range(24) for head in range(heads)]
    grid = lay_out_network((*names, *(f"mlp.{layer}" for layer in range(24)), "stem", "bias"), cell=0.062)
    rows = sorted(middle for middle, _ in grid.rows)
    assert min(b - a for a, b in pairwise(rows)) > 0.1  # no text is lower
    assert grid.columns[-1][1] == "MLP"


def test_a_rooted_scale_shows_small_values_beside_large_ones():
    values = SignedScale.of(np.array([-0.04, 0.5]), label="part", rooted=True)
    assert values.limit == 0.6
    assert values.colours(np.array([0.0])) == ["#f7f6f6"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Three transforms of twelve images, explained."""
    wanted = Wanted(explained=True, transforms=NINE[:3], metrics=("cosine",), maps=False)
    return Material(run=make_run(tmp_path_factory.mktemp("explained"), wanted))


@pytest.fixture(scope="module")
def shares_page(alone):
    return next(render_pages(alone, "network_shares", width=FULL))


def test_outlined_cells_are_those_of_certain_components(alone, shares_page):
    marked = [
        len(one.get_paths())
        for axes in shares_page.figure.axes
        for one in axes.collections
        if one.get_label() == "certain"
    ]
    found = alone.explanation
    certain = [int(found.shares(name).certain.sum()) for name in found.transforms]
    assert sum(certain) > 0
    assert marked == [count for count in certain if count]


def test_the_alt_text_of_shares_gives_the_largest_certain_component(alone, shares_page):
    shares = alone.explanation.shares("blur")
    name = shares.largest(1)[0]
    effects = alone.explanation.patches("blur", resamples=10)
    recovered = float(effects.recovered.estimates.mean[effects.components.index(name)])
    assert (
        f"blur: {name}, share {format_number(shares.of(name), places=2)}, recovered"
        f" {format_number(recovered, places=2)}, {shares.certain.sum()} certain" in shares_page.alt
    )


def test_the_alt_text_of_maps_gives_the_largest_change_of_a_patch(alone):
    page = next(render_pages(alone, "shift_map", width=FULL, pictures=1))
    row = int(re.search(r"image (\d+)", page.alt)[1])
    found = alone.explanation.map("noise", row)
    most = found.change.ravel()[np.abs(found.change).argmax()]
    assert f"noise {format_number(most, places=3)} at " in page.alt
    assert f"({format_number(found.left_picture, places=2)} and 0.40)" in page.alt
    words = [text.get_text() for text, _ in drawn_text(page.figure)]
    assert words.count("0.40") == 3


def test_maps_read_together_are_those_read_one_by_one(alone):
    found = read_maps(alone.explanation.tables, [0, 5])
    assert set(found) == {(row, name) for row in (0, 5) for name in NINE[:3]}
    for (row, name), one in found.items():
        alike = alone.explanation.map(name, row)
        assert np.array_equal(one.change, alike.change)
        assert (one.draw, one.field, one.left_picture) == (0, alike.field, alike.left_picture)


def test_maps_of_images_without_kept_views_are_refused(tmp_path):
    wanted = Wanted(explained=True, transforms=NINE[:2], metrics=("cosine",), maps=False, views=False)
    material = Material(run=make_run(tmp_path, wanted))
    with pytest.raises(FigureError, match="holds no image with its views; "):
        next(render_pages(material, "shift_map"))


@pytest.fixture(scope="module")
def words_page(alone):
    return next(render_pages(alone, "word_bars", width=FULL))


def test_the_alt_text_of_words_gives_their_statistics(alone, words_page):
    found = alone.explanation.words()
    at = found.transforms.index("blur")
    most = int(np.nanargmax(np.abs(found.t[at])))
    assert f"{found.names[most]} {format_number(float(found.t[at, most]))}" in words_page.alt
    assert f"chance is at {format_number(found.line)}" in words_page.alt
    shares = alone.explanation.word_shares()
    assert f"{100 * shares.share[at]:.0f} % explained ({100 * shares.null_low[at]:.0f} to" in words_page.alt


def test_bars_of_named_words_have_the_colour_of_their_transform(alone, words_page):
    found = alone.explanation.words()
    looks = assign_looks(alone.run.transforms)
    assert any(found.named(name) for name in found.transforms)
    assert not all(len(found.named(name)) >= 6 for name in found.transforms)
    bars = [axes.patches for axes in words_page.figure.axes if axes.patches]
    for name, patches in zip(found.transforms, bars, strict=True):
        strong = [one for one in patches if to_hex(one.get_facecolor()).upper() == looks[name].colour]
        assert len(strong) == min(len(found.named(name)), len(patches))


def test_few_words_are_shown_without_what_they_explain(tmp_path):
    wanted = Wanted(explained=True, transforms=NINE[:2], metrics=("cosine",), maps=False, views=False)
    run = make_run(tmp_path, wanted)
    write_words(tmp_path, dim=wanted.dim, seed=0, fingerprint="synthetic", words=WORDS[:3])
    page = next(render_pages(Material(run=run), "word_bars"))
    assert "explained" not in page.alt
    assert f"{WORDS[0]} " in page.alt


@pytest.mark.parametrize(
    ("name", "option"), [("word_bars", "--words FILE"), ("label_flips", "--labels FILE")]
)
def test_an_explanation_without_texts_is_refused_with_the_command(name, option, tmp_path):
    wanted = Wanted(explained=True, transforms=NINE[:2], metrics=("cosine",), maps=False, views=False)
    run = make_run(tmp_path, wanted)
    (tmp_path / "explain" / "texts.parquet").unlink()
    with pytest.raises(FigureError, match=f"; store some with: embshift explain .* {option}"):
        next(render_pages(Material(run=run), name))


def test_the_alt_text_of_labels_gives_flip_rates_and_accuracies(alone):
    page = next(render_pages(alone, "label_flips", width=FULL))
    for name, one in alone.explanation.labels().items():
        rate, low, high = (format_number(value) for value in one.measure("flip_rate"))
        before, after = (
            format_number(one.measure(each)[0], places=2) for each in ("accuracy_before", "accuracy_after")
        )
        told = (
            f"{name.replace('_', ' ')} {rate} ({low} to {high}), accuracy {before} before and {after} after"
        )
        assert told in page.alt


def test_without_true_labels_no_accuracy_is_shown(tmp_path):
    wanted = Wanted(explained=True, transforms=NINE[:2], metrics=("cosine",), maps=False, views=False)
    run = make_run(tmp_path, wanted)
    write_words(tmp_path, dim=wanted.dim, seed=0, fingerprint="synthetic")
    page = next(render_pages(Material(run=run), "label_flips"))
    assert "accuracy" not in page.alt
    assert len(page.figure.axes) == 1


def test_bands_of_the_layer_profile_are_the_intervals(alone):
    page = next(render_pages(alone, "layer_profile", width=FULL))
    panels = [axes for axes in page.figure.axes if axes.get_xlabel() == "layer"]
    for panel, measure in zip(panels, ("cosine", "patch_cosine"), strict=False):
        for name, band in zip(alone.run.transforms, panel.collections, strict=True):
            found = getattr(alone.explanation.layers(name), measure).estimates
            drawn = band.get_paths()[0].vertices
            for layer, ends in enumerate(zip(found.low, found.high, strict=True)):
                heights = drawn[drawn[:, 0] == layer, 1]
                assert (heights.min(), heights.max()) == pytest.approx(ends), (name, layer)
    assert not any(len(band.get_paths()) for band in panels[2].collections)
    texts = [text.get_text() for text, _ in drawn_text(page.figure)]
    assert any("bands: 95 % intervals" in text for text in texts)
