"""A short run of the simulations; ``make simulations`` prints the full table."""

import math

import pytest

from tests.simulations.compared import compared_coverage
from tests.simulations.coverage import (
    CASES,
    mean_coverage,
    mrr_coverage,
    percentile_coverage,
    proportion_coverage,
    rank_coverage,
    ratio_coverage,
    s50_coverage,
)
from tests.simulations.embeddings import DIRECTION, STRUCTURE, direction_coverage, structure_coverage
from tests.simulations.gate import never_red, planted_found, verdict_rates
from tests.simulations.inside import pooled_coverage, recovered_coverage
from tests.simulations.matched import matched_coverage
from tests.simulations.power import decided, find_limit, lognormal
from tests.simulations.relations import floor_coverage, prediction_coverage
from tests.simulations.variance import KINDS, variance_coverage
from tests.simulations.words import no_false_name, planted_name


def within(found, low, high=1.0, *, sure=3.0):
    """Whether a share lies in a range, up to three standard errors."""
    return low - sure * found.error <= found.held <= high + sure * found.error


@pytest.mark.parametrize("images", [30, 100])
def test_intervals_of_means_hold_as_often_as_they_say(images):
    assert within(mean_coverage(images, trials=500, resamples=500), 0.93, 0.97)
    assert within(ratio_coverage(images, trials=500, resamples=500), 0.93, 0.97)


@pytest.mark.parametrize("images", [18, 61])
@pytest.mark.parametrize("share", [0.5, 0.95, 0.98])
@pytest.mark.parametrize("draws", [1, 3])
def test_intervals_of_proportions_hold(images, share, draws):
    """BCa held 55 % at 18 images and .95, and 70 % at 61 and .98."""
    found = proportion_coverage(images, share, trials=2000, draws=draws, agreement=0.3 * (draws > 1))
    assert within(found, 0.91)


@pytest.mark.parametrize("lost", [0.02, 0.3])
def test_intervals_of_reciprocal_ranks_hold(lost):
    assert within(mrr_coverage(30, lost, trials=500, resamples=500), 0.93, 0.98)


@pytest.mark.parametrize("draws", [1, 3])
def test_intervals_of_half_recall_hold(draws):
    assert within(s50_coverage(30, trials=150, draws=draws), 0.93, 0.98)


def test_intervals_of_percentiles_hold_or_are_not_given():
    assert within(percentile_coverage(100, 0.95, trials=500), 0.95)
    assert math.isnan(percentile_coverage(61, 0.95, trials=50).held)


def test_below_ten_images_means_have_no_interval():
    assert math.isnan(mean_coverage(9, trials=100, resamples=100).held)


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_of_the_share_of_draws_hold(kind):
    assert within(variance_coverage(30, trials=200, share=0.5, kind=kind), 0.91, 0.98)


@pytest.mark.parametrize("images", [10, 30])
@pytest.mark.parametrize("draws", [1, 3])
def test_intervals_of_pooled_shares_hold_alone_and_together(images, draws):
    """Scaled by one common error, joint ones held in 50 % of runs of 10 images."""
    options = {"draws": draws, "trials": 100, "resamples": 300}
    assert within(pooled_coverage(images, joint=False, **options), 0.92, 0.97)
    assert within(pooled_coverage(images, joint=True, **options), 0.93)


def test_intervals_of_what_patches_recover_and_of_shifts_over_a_floor_hold():
    assert within(recovered_coverage(30, trials=300, resamples=400), 0.93, 0.97)
    assert within(floor_coverage(30, trials=200), 0.92, 0.97)


@pytest.mark.parametrize("measure", DIRECTION)
def test_intervals_of_direction_hold_without_a_common_direction(measure):
    """With the fits kept, corrected shares held in 66 to 79 % of runs."""
    found = direction_coverage(100, measure=measure, scene="no direction", trials=60, resamples=200)
    assert within(found, 0.94, sure=2)


@pytest.mark.parametrize("measure", STRUCTURE)
def test_intervals_of_structure_hold(measure):
    assert within(structure_coverage(18, measure=measure, scene="linear", trials=40), 0.93)


def test_intervals_of_a_prediction_of_flips_hold_or_are_not_given():
    assert math.isnan(prediction_coverage(30, rates="close", trials=20, resamples=100).held)
    assert within(prediction_coverage(61, rates="far apart", trials=100, resamples=300), 0.93)


@pytest.mark.slow
def test_intervals_at_equal_damage_hold():
    assert within(matched_coverage(30, trials=150, resamples=200), 0.92, 0.98)


@pytest.mark.parametrize("case", list(CASES))
def test_rank_intervals_hold_all_ranks_together(case):
    assert within(rank_coverage(CASES[case], images=60, trials=150, resamples=300), 0.95)


@pytest.mark.parametrize("images", [8, 13, 30])
def test_words_are_seldom_named_falsely_over_all_transforms_together(images):
    assert within(no_false_name(images, trials=60, resamples=199), 0.95)


def test_planted_words_are_found():
    assert planted_name(60, trials=30, resamples=199).held > 0.9


@pytest.mark.parametrize("kind", ["value", "difference", "all differences together"])
@pytest.mark.parametrize("statistic", ["relative_shift", "recall_at_1"])
def test_intervals_of_compared_runs_hold_alone_and_together(statistic, kind):
    found = compared_coverage(30, statistic=statistic, kind=kind, trials=150, resamples=300)
    assert within(found, 0.92)


def test_a_gate_at_the_truth_is_undecided_where_means_alone_toss_a_coin():
    for statistic in ("relative_shift", "recall_at_1"):
        rates = verdict_rates(100, statistic=statistic, factor=1.0, trials=100, resamples=200)
        assert rates["broken"] <= 0.05 + 3 * 0.022
        assert rates["undecided"] > 0.8
        assert 0.3 < rates["point"] < 0.7
    loose = verdict_rates(400, statistic="relative_shift", factor=1.25, trials=50, resamples=200)
    assert (loose["holds"], loose["broken"]) == (1.0, 0.0)


@pytest.mark.parametrize("statistic", ["relative_shift", "recall_at_1"])
def test_nine_differences_at_their_margin_are_seldom_red(statistic):
    assert within(never_red(100, statistic=statistic, trials=100, resamples=300), 0.95)


@pytest.mark.parametrize("side", ["holds", "broken"])
def test_skewed_values_are_decided_with_as_many_images_as_the_gate_names(side):
    population = lognormal(0.8)
    budget = find_limit(population[0], side=side, normal=60)
    images, share = decided(population, budget=budget, side=side, trials=150, resamples=300)
    assert 0.7 <= share <= 0.9
    assert images > 75 if side == "holds" else images < 55


def test_a_perturbed_layer_is_found_with_as_many_images_as_the_power_says():
    _, found = planted_found(size=0.8, share=0.25, trials=100, resamples=300)
    assert within(found, 0.75, 0.9)
