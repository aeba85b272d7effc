"""Intervals of percentiles: exact binomial coverage, too few images, order statistics by hand."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from embshift.analysis.sampling.percentiles import percentile_interval


@pytest.mark.parametrize("images", [72, 73, 100, 500])
@pytest.mark.parametrize("share", [0.95, 0.5])
def test_ends_hold_the_percentile_as_often_as_they_say(images, share):
    low, high = (int(end) for end in percentile_interval(np.arange(1.0, images + 1), share))
    # Ends are ranks here: the percentile lies between them unless too few or too many values lie below it.
    held = binom.cdf(high - 1, images, share) - binom.cdf(low - 1, images, share)
    assert held >= 0.95
    # And no rank nearer would do.
    assert binom.cdf(low, images, share) > 0.025
    assert 1 - binom.cdf(high - 2, images, share) > 0.025


@pytest.mark.parametrize("images", [0, 1, 30, 71])
def test_few_images_cannot_reach_the_level(images):
    assert all(math.isnan(end) for end in percentile_interval(np.arange(float(images)), 0.95))


def test_a_lower_level_needs_fewer():
    low, high = percentile_interval(np.arange(50.0), 0.95, level=0.8)
    assert low < 47.5 < high
