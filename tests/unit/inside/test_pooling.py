"""Pooled shares, patches and similarities, held to literal writings and to simulations."""

import numpy as np
import pytest

from embshift.analysis.inside.by_image import average_draws, mean_over_images
from embshift.analysis.inside.patches import calibrate_patches, correlate
from embshift.analysis.inside.shares import pool_shares
from embshift.analysis.inside.similarity import combine_similarity, unbiased_hsic
from embshift.analysis.sampling.bootstrap import draw_counts
from embshift.core.errors import UnknownNameError

NAMES = ("stem", "head.0.0", "mlp.0")


def make_views(images, *, draws=1, seed=0, truth=(0.5, 0.3, 0.2)):
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(images), draws)
    shift = rng.lognormal(sigma=0.4, size=len(rows))
    share = np.array(truth) + rng.normal(0, 0.2, (len(rows), 3))
    share[:, 0] += 1 - share.sum(axis=1)
    return rows, shift, share


def pool(rows, shift, share, **options):
    return pool_shares("blur", NAMES, rows=rows, shift=shift, share=share, **{"resamples": 400} | options)


def test_pooled_shares_are_the_ratio_of_sums():
    rows, shift, share = make_views(20, draws=2)
    found = pool(rows, shift, share)
    for at in range(3):
        above = sum(s * d * d for s, d in zip(share[:, at], shift, strict=True))
        assert found.share[at] == pytest.approx(above / sum(d * d for d in shift), abs=1e-12)
    assert found.share.sum() == pytest.approx(1)
    assert found.images == 20
    assert (found.joint_low <= found.low).all()
    assert (found.high <= found.joint_high).all()


def test_intervals_are_studentised_resample_by_resample():
    rows, shift, share = make_views(15)
    found = pool(rows, shift, share)
    parts, whole = share * shift[:, None] ** 2, shift**2

    def ratio(counts):
        kept = np.repeat(np.arange(15), counts)
        value = parts[kept].sum(axis=0) / whole[kept].sum()
        without = [np.delete(kept, at) for at in range(len(kept))]
        moved = [parts[rest].sum(axis=0) / whole[rest].sum() - value for rest in without]
        return value, np.sqrt(np.square(moved).sum(axis=0))

    value, error = ratio(np.ones(15, int))
    drawn = [ratio(one.astype(int)) for one in np.concatenate([*draw_counts(15, resamples=400, seed=0)])]
    steps = np.array([(one - value) / own for one, own in drawn])
    low, high = value - np.quantile(steps, [0.975, 0.025], axis=0) * error
    reach = np.quantile(np.abs(steps).max(axis=1), 0.95) * error
    np.testing.assert_allclose([found.low, found.high], [low, high], rtol=1e-9)
    np.testing.assert_allclose(found.joint_low, np.minimum(low, value - reach), rtol=1e-9)
    np.testing.assert_allclose(found.joint_high, np.maximum(high, value + reach), rtol=1e-9)


def test_a_share_that_is_the_same_in_all_images_has_an_interval_without_a_width():
    rows, shift, share = make_views(20)
    share[:, 1] = 0.25
    found = pool(rows, shift, share)
    assert found.low[1] == pytest.approx(0.25) == found.joint_high[1]
    assert (np.delete(found.high - found.low, 1) > 0.01).all()


def test_views_without_a_shift_are_counted_and_left_out():
    rows, shift, share = make_views(20)
    whole = pool(rows[1:], shift[1:], share[1:])
    share[0], shift[0] = np.nan, 0.0
    found = pool(rows, shift, share)
    assert (found.images, found.undefined) == (19, 1)
    assert np.allclose(found.share, whole.share)


def test_few_images_have_no_interval_and_nothing_is_certain():
    found = pool(*make_views(9))
    assert np.isnan(found.low).all()
    assert not found.certain.any()
    assert found.largest() == []
    assert found.largest(1, certain=False) == ["stem"]


def test_a_component_is_found_by_name():
    found = pool(*make_views(12))
    assert found.of("mlp.0") == found.share[2]
    with pytest.raises(UnknownNameError, match=r"mlp\.0"):
        found.of("mlp0")


def test_intervals_hold_what_they_say():
    """Of 300 simulated runs; shares do not depend on the shift, so their mean is the pooled truth."""
    single = joint = 0
    truth = np.array([0.5, 0.3, 0.2])
    for seed in range(300):
        found = pool(*make_views(40, seed=seed), resamples=300, seed=seed)
        inside = (found.low <= truth) & (truth <= found.high)
        single += inside.mean()
        joint += bool(((found.joint_low <= truth) & (truth <= found.joint_high)).all())
    assert 0.90 <= single / 300 <= 0.98
    assert 0.90 <= joint / 300 <= 0.99


def test_draws_are_averaged_before_images():
    rows = np.array([3, 3, 5, 5])
    values = np.array([[1.0], [3.0], [np.nan], [7.0]])
    assert average_draws(rows, values).tolist() == [[2.0], [7.0]]
    found = mean_over_images(rows, np.full((4, 1), np.nan))
    assert found.undefined.tolist() == [2]
    assert np.isnan(found.estimates.mean).all()


def test_hsic_is_the_mean_over_quadruples():
    """The estimate is a U-statistic of order 4: here over all ordered quadruples of five images."""
    from itertools import permutations

    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    k, l = one @ one.T, other @ other.T
    terms = [k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q]) for i, j, q, r in permutations(range(5), 4)]
    assert unbiased_hsic(one, other) == pytest.approx(np.mean(terms))
    assert np.isnan(unbiased_hsic(one[:3], other[:3]))


def test_similarity_of_parts():
    layer = np.array([0, 0, 1])
    found = combine_similarity(
        layer,
        images=np.array([4, 12, 8]),
        cross=np.array([1.0, 3.0, np.nan]),
        clean=np.array([2.0, 4.0, 1.0]),
        view=np.array([2.0, 2.0, 1.0]),
    )
    assert found[0] == pytest.approx((4 + 36) / np.sqrt((8 + 48) * (8 + 24)))
    assert np.isnan(found[1])


def test_calibration_compares_what_was_patched_in_full():
    cheap = np.array([[0.1, 0.2, 0.3], [0.2, 0.1, 0.5]])
    full = np.array([[0.1, np.nan, 0.4], [0.3, np.nan, 0.5]])
    found = calibrate_patches("class", "clean_into_view", cheap=cheap, full=full)
    assert found.pairs == 4
    assert found.difference == pytest.approx(0.05)
    assert found.correlation == pytest.approx(np.corrcoef([0.1, 0.3, 0.2, 0.5], [0.1, 0.4, 0.3, 0.5])[0, 1])
    assert np.isnan(correlate(np.array([1.0, 2.0]), np.array([1.0, 2.0])))
