"""Runs read part by part: what the tables, figures and ranks show of them."""

from unittest.mock import patch

import numpy as np
import pytest

from benchmarks.many_images import write_shifts
from embshift.analysis.of_run import summarise_shifts
from embshift.analysis.parts import reading
from embshift.analysis.parts.reading import read_parts
from embshift.runs.tables import open_tables
from embshift.show.figures.material import Material
from embshift.show.text.summary import format_summary, summary_table
from tests.synthetic_runs import Wanted, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reading") / "run"
    write_shifts(
        folder, images=105, transforms=("noise", "blur"), metrics=("cosine", "l2"), chunk=10, repeated=15
    )
    return open_tables(folder)


@pytest.mark.parametrize("chunks", [1, 4, 4096])
@pytest.mark.parametrize("at_once", [1, 25, 10_000])
def test_sums_are_those_of_all_values_however_the_chunks_are_divided(run, chunks, at_once):
    values = run.values()
    assert len(values.rows) == 90
    flat = values.values.reshape(90, 4)
    with patch.object(reading, "CHUNKS", chunks), patch.object(reading, "IMAGES_AT_ONCE", at_once):
        found = read_parts(run, wanted=[7])
    assert found.images == 90
    np.testing.assert_allclose(found.moments.known_mean, flat.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(found.moments.deviation, flat.std(axis=0, ddof=1), rtol=1e-11)
    assert found.counts.sum(axis=1).tolist() == [90] * 4
    assert found.kept.values.rows.tolist() == list(range(90))
    np.testing.assert_array_equal(found.kept.values.values, values.values)


def test_the_same_parts_give_the_same_bytes(run):
    one, other = read_parts(run), read_parts(run)
    assert one.products.cross.tobytes() == other.products.cross.tobytes()
    assert one.moments.cubes.tobytes() == other.moments.cubes.tobytes()


def test_a_table_says_that_it_was_summed_in_parts(run):
    exact, found = (summarise_shifts(run, limit=limit) for limit in (105, 104))
    line = "summed chunk by chunk over 90 images: equal to all values at once, up to rounding"
    assert line in str(summary_table(found).caption)
    assert line not in str(summary_table(exact).caption)
    assert f'"parts": "{line}"' in format_summary(found, style="json")
    assert "parts" not in format_summary(exact, style="json")


def test_a_run_without_images_has_empty_sums(tmp_path):
    write_shifts(tmp_path / "run", images=0, transforms=("noise",), metrics=("cosine",))
    found = read_parts(open_tables(tmp_path / "run"))
    assert (found.images, found.measured) == (0, 0)
    assert np.isnan(found.moments.known_mean).all()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Material of one run, with every value held and as of a run of many images."""
    made = make_run(tmp_path_factory.mktemp("figures") / "run", Wanted(images=12))
    exact, large = Material(run=made), Material(run=made)
    with patch("embshift.show.figures.material.MOST_EXACT", 11):
        assert large.part is not None
    assert exact.part is None
    return exact, large


def test_figures_of_many_images_have_the_same_means(pair):
    exact, large = pair
    np.testing.assert_allclose(large.compute_means(), exact.compute_means(), rtol=1e-12)
    np.testing.assert_allclose(large.statistics.means.mean, exact.statistics.means.mean, rtol=1e-12)


def test_figures_of_many_images_read_those_with_kept_views(pair):
    exact, large = pair
    for image in exact.choose_images(3):
        found = large.read_image(image.row, "cosine")
        np.testing.assert_array_equal(found, exact.read_image(image.row, "cosine"))


def test_a_density_names_the_sample_that_it_is_over(pair):
    exact, large = pair
    assert exact.name_images() == "images"
    assert large.name_images() == "a sample of 12 images"
