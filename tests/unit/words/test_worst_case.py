"""Divergence radius and how well it predicts flips: brute force, known balls, SciPy's correlations."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from embshift.analysis.strength.balls import divergence_radii, divergence_radius
from embshift.analysis.strength.flip_prediction import predict_flips
from embshift.core.errors import PlanError, UnknownNameError
from tests.reference import words_reference as reference

NAN = float("nan")


@given(seed=st.integers(0, 9_999), count=st.integers(1, 7), dim=st.integers(1, 3), size=st.floats(1e-4, 1e4))
@settings(max_examples=60, deadline=None)
def test_the_ball_is_that_of_brute_force(seed, count, dim, size):
    points = size * np.random.default_rng(seed).normal(size=(count, dim)) + 1
    found, (radius, centre) = divergence_radius(points), reference.smallest_ball(points)
    assert found.radius == pytest.approx(radius, rel=2e-6, abs=1e-12)
    assert found.radius >= radius * (1 - 1e-9)
    # A ball whose radius exceeds the least one by a share of ε may be off by √(2ε) of the radius.
    assert np.linalg.norm(found.centre - centre) <= 2e-3 * radius + 1e-9


@given(seed=st.integers(0, 999), count=st.integers(2, 30), dim=st.integers(2, 300), spread=st.floats(1e-3, 1))
@settings(max_examples=40, deadline=None)
def test_it_holds_all_points_and_no_smaller_one_does(seed, count, dim, spread):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=dim) + spread * rng.normal(size=(count, dim))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    found = divergence_radius(points)
    distances = np.linalg.norm(points - found.centre, axis=1)
    assert distances.max() <= found.radius + 1e-12
    # Every direction from the smallest ball's centre has a point of its surface in that half space.
    for _ in range(20):
        moved = found.centre + 1e-2 * found.radius * rng.normal(size=dim) / math.sqrt(dim)
        assert np.linalg.norm(points - moved, axis=1).max() >= found.radius * (1 - 1e-6)
    assert found.radius <= 1 + 1e-6
    assert found.iterations < 2_000


@pytest.mark.parametrize(
    ("points", "radius"),
    [
        ([[1.0, 0.0]], 0.0),
        ([[1.0, 0.0]] * 5, 0.0),
        ([[1.0, 0.0], [-1.0, 0.0]], 1.0),
        ([[1.0, 0.0], [0.0, 1.0]], math.sqrt(0.5)),
        ([[1.0, 0.0], [0.0, 1.0], [NAN, NAN]], math.sqrt(0.5)),
        (np.eye(3), math.sqrt(2 / 3)),
        (np.eye(512)[:26], math.sqrt(25 / 26)),
        ([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.5, 0.1]], 0.5),
        ([[1e6 + 1e-3, 0.0], [1e6, 0.0]], 5e-4),
    ],
)
def test_known_balls(points, radius):
    assert divergence_radius(np.array(points)).radius == pytest.approx(radius, rel=2e-6)


@given(seed=st.integers(0, 999), images=st.integers(0, 9), count=st.integers(1, 7))
@settings(max_examples=25, deadline=None)
def test_balls_of_many_images_are_those_of_each_alone(seed, images, count):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(images, 1, 5)) + rng.uniform(0, 1, (images, 1, 1)) * rng.normal(
        size=(images, count, 5)
    )
    points[: images // 4] = points[: images // 4, :1]  # no view moved
    points[images // 2 : images // 2 + 1, -1] = NAN
    found = divergence_radii(points)
    for at, own in enumerate(points):
        if at == images // 2:
            assert math.isnan(found[at])
        else:
            # Another order of the sums: what is left of equal points is rounding.
            assert found[at] == pytest.approx(divergence_radius(own).radius, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("points", [np.empty((0, 3)), np.full((2, 3), NAN)])
def test_no_points_have_no_radius(points):
    assert math.isnan(divergence_radius(points).radius)
    assert np.isnan(divergence_radius(points).centre).all()


def scene(images=40, transforms=10, *, seed=0):
    """Flips that follow the radius, and a predictor that has nothing to do with them."""
    rng = np.random.default_rng(seed)
    truth = np.linspace(0.05, 0.9, transforms)
    flips = (rng.random((images, transforms)) < truth) * 1.0
    return flips, {"radius": truth + rng.normal(size=flips.shape) / 20, "noise": rng.random(flips.shape)}


@given(seed=st.integers(0, 999), transforms=st.integers(8, 12))
@settings(max_examples=10, deadline=None)
def test_correlations_are_scipy_s(seed, transforms):
    flips, predictors = scene(12, transforms, seed=seed)
    found = predict_flips(flips, predictors, resamples=100)
    for at, one in enumerate(predictors.values()):
        both = flips.mean(axis=0).round(9), one.mean(axis=0)
        assert found.spearman.mean[at] == pytest.approx(spearmanr(*both).statistic)
        assert found.kendall.mean[at] == pytest.approx(kendalltau(*both).statistic)


def test_what_predicts_is_told_from_what_does_not():
    flips, predictors = scene(80)
    found = predict_flips(flips, predictors, resamples=400)
    mean, low, high = found.measure("radius")
    assert 0.9 < mean <= 1
    assert 0.8 < low <= mean <= high <= 1
    assert found.measure("noise")[1] < 0.6
    assert (found.transforms, found.images) == (10, 80)
    with pytest.raises(UnknownNameError, match="radius"):
        found.measure("radiu")


def test_order_of_images_and_scale_change_nothing():
    flips, predictors = scene(61)
    found = predict_flips(flips, predictors, resamples=100)
    scaled = predict_flips(flips, {name: 1e-9 * one for name, one in predictors.items()}, resamples=100)
    np.testing.assert_array_equal(scaled.spearman.low, found.spearman.low)
    turned = predict_flips(flips[::-1].copy(), {name: one[::-1].copy() for name, one in predictors.items()})
    np.testing.assert_allclose(turned.kendall.mean, found.kendall.mean)


def test_equal_means_tie_whatever_their_rounding():
    flips, _ = scene(10)
    half = np.tile([0.1, 0.2], 5)[:, None] * np.ones(10)
    half[:, ::2] = half[::-1, ::2]  # the same values in another order
    assert np.isnan(predict_flips(flips, {"same": half}, resamples=100).spearman.mean).all()


def test_what_never_flips_has_no_correlation():
    flips, predictors = scene()
    found = predict_flips(np.zeros_like(flips), predictors, resamples=100)
    assert np.isnan(found.spearman.mean).all()
    assert np.isnan(found.kendall.low).all()


def test_missing_values_are_left_out():
    flips, predictors = scene()
    flips[3, 2] = NAN
    predictors["radius"][:, 0] = NAN
    found = predict_flips(flips, predictors, resamples=100)
    assert found.transforms == 9
    wanted = spearmanr(np.nanmean(flips[:, 1:], axis=0), predictors["radius"][:, 1:].mean(axis=0)).statistic
    assert found.measure("radius")[0] == pytest.approx(wanted)


def test_an_interval_of_a_correlation_reaches_as_far_up_as_its_resamples_reach_down():
    """Noise lowers a rank correlation: a resample has it twice, the sample once, the truth not at all."""
    flips, predictors = scene(60, 20, seed=2)
    flips = (np.random.default_rng(1).random(flips.shape) < np.linspace(0.1, 0.3, 20)) * 1.0
    mean, low, high = predict_flips(flips, predictors, resamples=400).measure("radius")
    assert mean < 0.95
    assert high == pytest.approx(min(1.0, 2 * mean - low))


def test_few_images_have_no_interval():
    flips, predictors = scene(59)
    assert np.isnan(predict_flips(flips, predictors, resamples=100).spearman.low).all()


@pytest.mark.parametrize(
    ("transforms", "cut", "told"),
    [
        (7, 0, "7 transforms with known values; expected 8 or more"),
        (10, 1, r"'radius' has the shape \(39, 10\)"),
    ],
)
def test_what_cannot_be_correlated_is_refused(transforms, cut, told):
    flips, predictors = scene(40, transforms)
    with pytest.raises(PlanError, match=told):
        predict_flips(flips, {name: one[cut:] for name, one in predictors.items()})
