"""Corrected shares: what each image does to the others through the fits, and intervals with that in."""

import numpy as np
import pytest

from embshift.analysis.embeddings.neighbours import half_squared_distances
from embshift.analysis.embeddings.pairs import unit_vectors
from embshift.analysis.embeddings.undo_direction import (
    REPAIRS,
    assign_folds,
    compute_repairs,
    removed_shares,
)
from tests.reference import corrections_reference as reference


def moved_images(images, dim, *, common=0.3, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    originals = unit_vectors(np.eye(dim)[0] + 0.5 * rng.normal(size=(images, dim)))[0]
    turn = np.eye(dim) + 0.2 * np.random.default_rng(99).normal(size=(dim, dim))
    shifted = originals @ turn + common * np.eye(dim)[1] + noise * rng.normal(size=(images, dim))
    return originals, unit_vectors(shifted)[0]


@pytest.mark.parametrize(("images", "dim"), [(40, 6), (14, 6), (13, 16)])
def test_pulls_are_what_another_weight_of_the_image_changes_in_all_fits(images, dim):
    originals, views = moved_images(images, dim)
    found = compute_repairs(originals, views, seed=3)
    expected = reference.pulls(originals, views, assign_folds(images, seed=3))
    for name in REPAIRS:
        size = np.abs(expected[name]).max()
        np.testing.assert_allclose(found[name].pull, expected[name], atol=3e-4 * size, err_msg=name)
        assert abs(found[name].pull.sum()) < 1e-6 * size * images


def test_pulls_are_undefined_for_few_images_and_0_at_identity():
    originals, views = moved_images(9, 4)
    assert all(np.isnan(one.pull).all() for one in compute_repairs(originals, views).values())
    originals = moved_images(20, 4)[0]
    for one in compute_repairs(originals, originals).values():
        np.testing.assert_allclose(one.pull, 0, atol=1e-12)


@pytest.mark.parametrize("same", ["views", "originals", "both"])
def test_equal_embeddings_have_finite_pulls(same):
    originals, views = moved_images(20, 6)
    originals = np.tile(originals[:1], (20, 1)) if same != "views" else originals
    views = np.tile(views[:1], (20, 1)) if same != "originals" else views
    for one in compute_repairs(originals, views).values():
        assert np.abs(one.pull).max() < 10


def ends(after, before, **options):
    found = removed_shares(after[:, None], before[:, None], resamples=4_000, level=0.95, seed=0, **options)
    return float(found.low[0]), float(found.high[0])


def test_the_interval_is_as_wide_as_that_of_corrections_fitted_to_every_resample():
    """Without a common direction an interval that keeps the fits is far too narrow."""
    originals, views = moved_images(60, 5, common=0.0, noise=0.2)
    fold = assign_folds(60, seed=0)
    before, repairs = half_squared_distances(originals, views), compute_repairs(originals, views, seed=0)
    penalties = reference.choose_penalties(originals, views, fold)
    drawn = reference.refitted_shares(originals, views, fold, penalties=penalties, resamples=300, seed=1)
    for name in REPAIRS:
        low, high = ends(repairs[name].shift, before, pull=repairs[name].pull[:, None])
        assert (high - low) / 3.92 == pytest.approx(drawn[name].std(), rel=0.25), name


def test_a_pull_widens_the_interval_and_does_not_move_the_share():
    rng = np.random.default_rng(0)
    before = rng.lognormal(size=50)
    after = before * rng.uniform(0.2, 0.8, size=50)
    narrow, wide = ends(after, before), ends(after, before, pull=rng.normal(size=(50, 1)))
    assert wide[0] < narrow[0] < 1 - after.sum() / before.sum() < narrow[1] < wide[1]
