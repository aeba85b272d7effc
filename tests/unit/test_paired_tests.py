"""Paired tests, max-T, numbers of images, stability of orders: known answers, SciPy, statsmodels."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, permutation_test
from statsmodels.stats.power import TTestPower

from embshift.analysis.shifts import sign_flips
from embshift.analysis.shifts.paired_tests import compare_columns, compare_sides
from embshift.analysis.shifts.sign_flips import flip_signs
from embshift.analysis.shifts.sizes import images_needed, kendall, order_stability, sizes_up_to
from embshift.core.errors import PlanError
from tests.reference import measurements_reference as reference

NAN = float("nan")


def differences(images, columns=1, *, centre=0.0, seed=0):
    return np.random.default_rng(seed).normal(loc=centre, size=(images, columns))


# Sign flips -------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 999), images=st.integers(1, 9), centre=st.sampled_from([0.0, 0.7, 2.0]))
@settings(max_examples=20, deadline=None)
def test_few_images_take_all_flips(seed, images, centre):
    table = differences(images, centre=centre, seed=seed)
    found = flip_signs(table, resamples=100)
    assert found.p[0] == reference.sign_flip(table[:, 0].tolist())
    assert (found.flips, found.exact, found.least) == (2**images, True, 2.0 ** (1 - images))


@given(seed=st.integers(0, 999), images=st.integers(3, 6), columns=st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_adjusted_p_is_that_of_the_literal_steps(seed, images, columns):
    table = differences(images, columns, seed=seed) + 0.8 * np.arange(columns)
    flips = list(itertools.product((-1, 1), repeat=images))
    wanted = reference.max_t(table.T.tolist(), flips)
    assert flip_signs(table).adjusted.tolist() == pytest.approx(wanted, abs=1e-12)


def test_p_is_that_of_scipy():
    table = differences(40, centre=0.25)
    theirs = permutation_test(
        (table[:, 0], np.zeros(40)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        rng=np.random.default_rng(0),
    )
    assert flip_signs(table).p[0] == pytest.approx(theirs.pvalue, abs=0.012)


def test_the_least_p_is_one_over_one_more_than_the_flips():
    found = flip_signs(np.full((60, 1), 0.5), resamples=999)
    assert (found.p[0], found.least, found.exact) == (1 / 1000, 1 / 1000, False)


def test_without_a_difference_p_is_one_and_without_a_value_undefined():
    found = flip_signs(np.array([[0.0, NAN], [0.0, NAN]]))
    assert (found.p[0], found.adjusted[0]) == (1, 1)
    assert math.isnan(found.p[1])
    assert math.isnan(found.adjusted[1])
    assert flip_signs(np.array([[0.4]])).p[0] == 1  # one image tells nothing
    assert np.isnan(flip_signs(np.empty((0, 2))).p).all()


def test_equal_sides_are_called_different_as_often_as_allowed():
    p = flip_signs(differences(30, 2000), resamples=400).p
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 2000) + 0.0025)


def test_any_false_finding_is_as_rare_as_it_says():
    """Nine equal transforms of correlated, skewed values: 36 comparisons at once."""
    pairs = np.triu_indices(9, 1)
    found = 0
    for seed in range(300):
        values = np.random.default_rng(seed).exponential(size=(25, 9))
        adjusted = flip_signs(values[:, pairs[0]] - values[:, pairs[1]], resamples=400, seed=seed).adjusted
        found += adjusted.min() <= 0.05
    assert found / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_scale_of_a_column_does_not_matter():
    table = differences(20, 3, centre=0.4)
    scaled = flip_signs(table * np.array([1e-9, 1.0, 1e9]), resamples=500)
    np.testing.assert_array_equal(scaled.adjusted, flip_signs(table, resamples=500).adjusted)


def test_blocks_and_seeds(monkeypatch):
    table = differences(20, 3, centre=0.4)
    whole = flip_signs(table, resamples=500, seed=1)
    few = flip_signs(table[:10], seed=1)
    monkeypatch.setattr(sign_flips, "SIGNS_AT_ONCE", 20 * 64)
    for one, other in ((flip_signs(table, resamples=500, seed=1), whole), (flip_signs(table[:10]), few)):
        np.testing.assert_array_equal(one.p, other.p)
        np.testing.assert_array_equal(one.adjusted, other.adjusted)
    assert (flip_signs(table, resamples=500, seed=2).p != whole.p).any()


# Comparisons ------------------------------------------------------------------------------------------------


def test_every_two_transforms_are_compared_image_by_image():
    rng = np.random.default_rng(0)
    picture = rng.normal(size=(40, 1))  # what all transforms of a picture share cancels
    values = picture + np.array([0.0, 0.0, 0.5]) + 0.1 * rng.normal(size=(40, 3))
    values[0, 1] = NAN
    found = compare_columns(values, transforms=("a", "b", "c"), by="cosine", unit="1", detect=0.05)
    # All on the same images: those with every value.
    assert [(one.first, one.second, one.n) for one in found.tests] == [
        ("a", "b", 39),
        ("a", "c", 39),
        ("b", "c", 39),
    ]
    assert found.notes == ("1 image left out: every test is on the same images, those with all values",)
    ab, ac, _ = found.tests
    assert ab.p > 0.05
    assert ac.p == ac.adjusted == found.least == 1 / 10_001
    assert ac.difference == pytest.approx((values[1:, 0] - values[1:, 2]).mean())
    assert ac.deviation == pytest.approx((values[1:, 0] - values[1:, 2]).std(ddof=1))
    assert ac.needed == images_needed(0.05, deviation=ac.deviation)


def test_many_transforms_can_still_be_told_apart():
    """Forty levels, 780 comparisons: Holm over 10,000 flips could never find anything."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(36, 1)) + 0.3 * np.arange(40) + 0.5 * rng.normal(size=(36, 40))
    names = [f"level{at}" for at in range(40)]
    found = compare_columns(values, transforms=names, by="cosine", unit="1", resamples=1000)
    far = next(one for one in found.tests if (one.first, one.second) == ("level0", "level39"))
    assert far.adjusted == found.least == 1 / 1001
    assert sum(one.adjusted < 0.05 for one in found.tests) > 500


def test_a_transform_that_failed_everywhere_leaves_out_no_image():
    values = np.column_stack([differences(20, 2), np.full(20, NAN)])
    found = compare_columns(values, transforms=("a", "b", "c"), by="cosine", unit="1")
    assert [one.n for one in found.tests] == [20, 0, 0]
    assert [math.isnan(one.adjusted) for one in found.tests] == [False, True, True]
    assert found.notes == ()


def test_two_runs_are_compared_over_the_pictures_that_both_hold():
    one = {f"p{at}": np.array([0.9, 0.5]) + 0.01 * at for at in range(12)}
    other = {f"p{at}": np.array([0.7, 0.5]) + 0.01 * at for at in range(4, 20)}
    found = compare_sides(
        one, other, transforms=("blur", "noise"), sides=("lite", "clip"), by="cosine", unit="1"
    )
    blur, noise = found.tests
    assert (blur.first, blur.second, blur.n) == ("blur (lite)", "blur (clip)", 8)
    assert blur.difference == pytest.approx(0.2)
    assert blur.p < 0.02
    assert (noise.p, noise.needed) == (1, None)
    with pytest.raises(PlanError, match="share no image"):
        compare_sides(
            {"a": one["p0"]}, {"b": one["p1"]}, transforms=("x", "y"), sides=("k", "l"), by="", unit=""
        )


def test_one_transform_has_nothing_to_compare_with():
    assert compare_columns(differences(5), transforms=("a",), by="cosine", unit="1").tests == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resamples": 9}, "resamples is 9; expected 100"),
        ({"detect": 0.0}, "detect is 0.0; expected a difference above 0"),
    ],
)
def test_wrong_wishes(options, message):
    with pytest.raises(PlanError, match=message):
        compare_columns(differences(5, 2), transforms=("a", "b"), by="cosine", unit="1", **options)


# Numbers of images ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [0.05, 0.1, 0.3, 0.5, 1.0, 2.5])
@pytest.mark.parametrize("power", [0.8, 0.95])
def test_images_needed_are_those_of_statsmodels(effect, power):
    theirs = TTestPower().solve_power(effect_size=effect, alpha=0.05, power=power, alternative="two-sided")
    assert images_needed(-effect * 7, deviation=7.0, power=power) == math.ceil(theirs - 1e-6)


def test_images_needed_find_the_difference_as_often_as_they_say():
    n = images_needed(0.5, deviation=1.0)
    rng = np.random.default_rng(0)
    draws = rng.normal(loc=0.5, size=(4000, n))
    t = draws.mean(axis=1) / (draws.std(axis=1, ddof=1) / math.sqrt(n))
    from scipy.stats import t as student

    assert np.mean(np.abs(t) > student.isf(0.025, n - 1)) == pytest.approx(0.8, abs=0.025)


def test_images_needed_at_the_edges():
    assert images_needed(0.1, deviation=0.0) == 2
    assert images_needed(0.1, deviation=NAN) is None
    assert images_needed(100.0, deviation=1.0) == 2
    assert images_needed(1e-3, deviation=1.0) == pytest.approx((1.959964 + 0.841621) ** 2 * 1e6, rel=1e-4)
    with pytest.raises(PlanError, match="expected a difference other than 0"):
        images_needed(0.0, deviation=1.0)
    with pytest.raises(PlanError, match="expected 0 < error < power < 1"):
        images_needed(0.1, deviation=1.0, power=80)
    with pytest.raises(PlanError, match="more than 10"):
        images_needed(1e-12, deviation=1.0)


# Orders -----------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 999), count=st.integers(2, 6))
@settings(max_examples=30, deadline=None)
def test_tau_is_that_of_scipy(seed, count):
    rng = np.random.default_rng(seed)
    orders, whole = (
        rng.integers(0, 4, size=(5, count)).astype(float),
        rng.integers(0, 4, size=count).astype(float),
    )
    wanted = [kendalltau(one, whole).statistic for one in orders]
    assert kendall(orders, whole).tolist() == pytest.approx(wanted, nan_ok=True)


def test_a_clear_order_is_stable_and_a_blurred_one_gets_stabler():
    rng = np.random.default_rng(0)
    clear = np.arange(4.0) + 0.01 * rng.normal(size=(50, 4))
    assert [one.tau for one in order_stability(clear, sizes=(2, 50), resamples=50)] == [1, 1]
    blurred = 0.05 * np.arange(4) + rng.normal(size=(300, 4))
    taus = [one.tau for one in order_stability(blurred, sizes=(3, 30, 300), resamples=200)]
    assert taus[0] < taus[1] < taus[2] < 1
    assert order_stability(blurred, sizes=(30,), resamples=50) == order_stability(
        blurred, sizes=(30,), resamples=50
    )


def test_an_order_of_one_or_of_nothing_is_undefined():
    for values in (np.ones((5, 1)), np.ones((5, 3)), np.empty((0, 3)), np.full((4, 2), NAN)):
        one = order_stability(values, sizes=(len(values),), resamples=10)[0]
        assert math.isnan(one.tau)
        assert one.resamples == 0


def test_sizes_go_up_in_steps_to_all():
    assert sizes_up_to(36) == (10, 30, 36)
    assert sizes_up_to(1000) == (10, 30, 100, 300, 1000)
    assert sizes_up_to(4) == (4,)
