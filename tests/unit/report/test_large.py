"""Reports of large runs: the numbers of all images, although only some values are held."""

import dataclasses

import numpy as np
import pytest

from embshift.analysis.of_run import analyse_separation
from embshift.analysis.parts.distributions import describe_error
from embshift.show.report.extremes import choose_extremes
from embshift.show.report.facts import run as facts_of_run
from embshift.show.report.facts.large import separate_images
from embshift.show.report.facts.run import gather_facts
from embshift.show.report.numbers import bin_values
from embshift.show.report.page import build_content
from tests.synthetic_runs import Wanted, make_run
from tests.unit.parts.large_values import SPECS, draw_values, sum_in_parts


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    wanted = Wanted(
        images=40, transforms=("blur", "noise"), undefined=(("blur", "l2"),), partly=("noise",), views=False
    )
    return make_run(tmp_path_factory.mktemp("large") / "run", wanted)


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
    assert (large.measured, large.partly, large.repeated) == (small.measured, small.partly, small.repeated)
    assert (large.common.images, large.common.fewer) == (small.common.images, small.common.fewer)
    assert choose_extremes(large) == choose_extremes(small)
    content = build_content(run, resamples=200)
    assert content["first"]["headline"].endswith(".")
    lines = [
        text for part in content["methods"] for label, text in part["lines"] if label == "summed in parts"
    ]
    assert lines == [describe_error(run.metrics)]


def test_the_stated_error_names_each_kind_of_grid():
    assert describe_error(SPECS[:3]) == (
        "quantiles and distributions from histograms of 4,096 bins: error at most 0.00049 (cosine); 0.68 % of"
        " its value (l2); 0.00012 (attention_similarity)"
    )


def test_distributions_are_those_of_all_values_up_to_a_bin(run):
    values = draw_values(3_000, missing=0.01)
    values.values[:, 2, 1] = np.nan
    exact = dataclasses.replace(
        gather_facts(run, resamples=100), values=values, metrics=SPECS, transforms=values.transforms
    )
    part = sum_in_parts(values)
    large = dataclasses.replace(exact, values=part.kept.values, part=part)
    for spec, one, other in zip(SPECS, bin_values(exact), bin_values(large), strict=True):
        assert one["edges"] == other["edges"]
        for counts, found in zip(one["counts"], other["counts"], strict=True):
            assert sum(counts) == sum(found)
            # A place within a bin of the grid may have some of the bin's values on the other side.
            most = 0.02 * sum(counts) + 2
            assert np.abs(np.cumsum(counts) - np.cumsum(found)).max() <= most
        for quantiles, found in zip(one["quantiles"], other["quantiles"], strict=True):
            np.testing.assert_allclose(quantiles, found, atol=0.01 * 10 if spec.name == "l2" else 5e-4)
    for transform in (0, 2):
        median, found = exact.find_median(transform, 0), large.find_median(transform, 0)
        assert found == pytest.approx(median, abs=4.9e-4)
    assert np.isnan(exact.find_median(2, 1))
    assert np.isnan(large.find_median(2, 1))
