"""A short run of the simulations; ``make simulations`` prints the full numbers."""

import pytest

from tests.simulations.coverage import CASES, mean_coverage, rank_coverage


@pytest.mark.parametrize("images", [100, 1_000])
def test_intervals_of_means_hold_as_often_as_they_say(images):
    share = mean_coverage(images, trials=500, resamples=500)
    assert 0.92 <= share <= 0.975  # 93 to 97 %, and a standard error of 500 trials


@pytest.mark.parametrize("case", list(CASES))
def test_rank_intervals_hold_all_ranks_together(case):
    share = rank_coverage(CASES[case], images=60, trials=150, resamples=300)
    assert share >= 0.95 - 0.0534  # three standard errors of 150 trials
