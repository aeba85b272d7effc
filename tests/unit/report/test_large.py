"""Statistics of large runs: the same means as over all images, and intervals of the same width."""

import numpy as np
import pytest

from embshift.analysis.of_run import analyse_separation
from embshift.analysis.sampling.bootstrap import FEWEST
from embshift.runs.values import ImageValues
from embshift.show.report.facts import run as facts_of_run
from embshift.show.report.facts.large import group_images, read_values, restore_means, separate_images
from embshift.show.report.facts.run import gather_facts
from embshift.show.report.page import build_content
from tests.synthetic_runs import Wanted, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    wanted = Wanted(
        images=40, transforms=("blur", "noise"), undefined=(("blur", "l2"),), partly=("noise",), views=False
    )
    return make_run(tmp_path_factory.mktemp("large") / "run", wanted)


def table(values):
    shape = values.shape
    return ImageValues(
        rows=np.arange(shape[0]),
        transforms=tuple(f"t{at}" for at in range(shape[1])),
        metrics=tuple(f"m{at}" for at in range(shape[2])),
        values=values,
        recorded=np.ones(shape, bool),
        undefined=np.isnan(values).astype(np.int64),
    )


def test_values_are_those_of_the_run(run):
    expected, found = run.values(), read_values(run, images=run.count_images())
    assert found.rows.tolist() == expected.rows.tolist()
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-6)
    np.testing.assert_array_equal(found.recorded, expected.recorded)
    np.testing.assert_array_equal(found.undefined, expected.undefined)


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.97])
def test_groups_keep_the_mean_and_its_standard_error(missing):
    rng = np.random.default_rng(3)
    values = rng.gamma(2.0, size=(30_000, 1, 2))
    values[rng.random(values.shape) < missing] = np.nan
    found = group_images(table(values), groups=3_000)
    assert found.values.shape == (3_000, 1, 2)
    for at in range(2):
        column, groups = values[:, 0, at], found.values[:, 0, at]
        assert groups.mean() == pytest.approx(np.nanmean(column), rel=1e-12)
        error = np.nanstd(column) / np.sqrt((~np.isnan(column)).sum())
        assert groups.std() / np.sqrt(len(groups)) == pytest.approx(error, rel=0.06)


def test_columns_of_few_images_have_a_mean_and_no_interval(run):
    values = run.values()
    few = np.full(values.values.shape, np.nan)
    few[: FEWEST - 1] = values.values[: FEWEST - 1]
    grouped = group_images(table(few), groups=20)
    assert np.isnan(grouped.values).all()
    statistics = gather_facts(run, resamples=100).statistics
    restored = restore_means(statistics, table(few))
    counts = (~np.isnan(few)).sum(axis=0)
    np.testing.assert_array_equal(restored.means.n, counts)
    known = counts > 0
    np.testing.assert_allclose(restored.means.mean[known], np.nanmean(few[:, known], axis=0))


def test_the_mean_distance_is_that_of_all_pairs(run):
    expected, found = analyse_separation(run), separate_images(run)
    assert found.cosine == pytest.approx(expected.cosine, rel=1e-9)
    assert found.l2 == pytest.approx(expected.l2, rel=1e-9)
    assert (found.images, found.cosine_pairs) == (expected.images, expected.cosine_pairs)


def test_a_large_run_has_the_means_and_counts_of_all_images(run, monkeypatch):
    small = gather_facts(run, resamples=200)
    monkeypatch.setattr(facts_of_run, "MOST_IMAGES", 30)
    large = gather_facts(run, resamples=200)
    np.testing.assert_allclose(large.statistics.means.mean, small.statistics.means.mean, rtol=1e-6)
    np.testing.assert_array_equal(large.statistics.means.n, small.statistics.means.n)
    wide, same = large.statistics.means, small.statistics.means
    np.testing.assert_allclose(wide.high - wide.low, same.high - same.low, rtol=0.35)
    assert build_content(run, resamples=200)["first"]["headline"].endswith(".")
