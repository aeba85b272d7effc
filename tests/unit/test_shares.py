"""Intervals of proportions and of crowded means: Wilson, draws that agree, few images."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from embshift.analysis.embeddings.pairs import make_pairs
from embshift.analysis.embeddings.retrieval import retrieve
from embshift.analysis.sampling.shares import effective_trials, share_intervals, wilson
from embshift.analysis.strength.levels import SweptLevel
from embshift.analysis.strength.sweep import compute_sweep
from tests.reference import statistics_reference as reference

NAN = math.nan


def column(*values):
    return np.array(values, float)[:, None]


@given(found=st.integers(0, 40), more=st.integers(0, 40), level=st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=40, deadline=None)
def test_wilson_is_that_of_statsmodels(found, more, level):
    if found + more == 0:
        return
    low, high = wilson(np.array([found / (found + more)]), trials=np.array([found + more + 0.0]), level=level)
    theirs = proportion_confint(found, found + more, alpha=1 - level, method="wilson")
    assert (low[0], high[0]) == pytest.approx(theirs, abs=1e-12)


def test_at_the_bounds_the_ends_are_exact_and_have_a_width():
    low, high = wilson(np.array([0.0, 1.0]), trials=np.array([36.0, 36.0]))
    assert (low[0], high[1]) == (0, 1)
    assert low[1] == pytest.approx(36 / (36 + 1.959964**2), abs=1e-6)
    assert high[0] == pytest.approx(1 - low[1])


def test_nothing_tried_has_no_interval():
    found = share_intervals(np.full((3, 1), NAN), draws=np.array([0]))
    assert (found.n[0], math.isnan(found.mean[0]), math.isnan(found.low[0])) == (0, True, True)


@given(seed=st.integers(0, 999), images=st.integers(2, 20), draws=st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_trials_and_ends_are_those_of_the_literal_loops(seed, images, draws):
    rng = np.random.default_rng(seed)
    table = rng.binomial(draws, rng.beta(2, 1, size=images)) / draws
    found = share_intervals(table[:, None], draws=np.array([images * draws]))
    wanted = reference.clustered_wilson(table.tolist(), draws=images * draws)
    assert (found.low[0], found.high[0]) == pytest.approx(wanted, abs=1e-12)


def test_one_draw_counts_each_image_once():
    assert effective_trials(column(1, 1, 1, 0, NAN))[0] == pytest.approx(4)


def test_draws_that_agree_are_worth_one_and_no_draw_counts_twice():
    assert effective_trials(column(1, 0, 1, 0, 1), most=np.array([15.0]))[0] == pytest.approx(5)
    alike = column(2 / 3, 2 / 3, 2 / 3, 2 / 3)
    assert effective_trials(alike, most=np.array([12.0]))[0] == 12
    for bound in (0.0, 1.0):
        assert effective_trials(column(*[bound] * 7), most=np.array([21.0]))[0] == 7


# Wherever the product gives a proportion --------------------------------------------------------------------


def pairs_of(originals, views, *, draws=1):
    rows = np.repeat(np.arange(len(originals)), draws)
    drawn = np.tile(np.arange(draws), len(originals))
    return make_pairs(
        rows=np.arange(len(originals)),
        values=originals,
        ids={row: f"id{row}" for row in range(len(originals))},
        transforms=list(views),
        read=lambda name: (rows, drawn, views[name]),
    )


def test_recall_has_wilsons_interval():
    base = np.eye(36, dtype=np.float32)
    swapped = base.copy()
    swapped[:2] = base[[1, 0]]
    found = retrieve(pairs_of(base, {"same": base, "swapped": swapped}), resamples=200)
    assert found.interval("same", "recall_at_1") == (pytest.approx(0.9036, abs=1e-4), 1)
    assert found.interval("swapped", "recall_at_1") == pytest.approx(
        proportion_confint(34, 36, method="wilson"), abs=1e-12
    )


def test_recall_of_several_draws_counts_images_that_find_everything_once():
    base = np.eye(12, dtype=np.float32)
    found = retrieve(pairs_of(base, {"same": np.repeat(base, 3, axis=0)}, draws=3), resamples=200)
    assert found.interval("same", "recall_at_1")[0] == pytest.approx(12 / (12 + 1.959964**2), abs=1e-6)


@pytest.mark.parametrize("measure", ["mrr", "knn_jaccard"])
def test_means_that_crowd_at_a_bound_have_a_width(measure):
    base = np.eye(36, 40, dtype=np.float32) + 0.01 * np.random.default_rng(0).random((36, 40), np.float32)
    found = retrieve(pairs_of(base, {"same": base}), resamples=200)
    assert found.mean("same", measure) == 1
    assert found.interval("same", measure) == (pytest.approx(0.9036, abs=1e-4), 1)


@pytest.mark.parametrize("images", [2, 5, 9])
def test_below_ten_images_proportions_have_intervals_and_means_have_none(images):
    base = np.eye(images, dtype=np.float32)
    found = retrieve(pairs_of(base, {"same": base}), resamples=200)
    low, high = found.interval("same", "recall_at_1")
    assert (low, high) == (pytest.approx(images / (images + 1.959964**2), abs=1e-6), 1)
    for measure in ("mrr", "margin"):
        assert math.isnan(found.interval("same", measure)[0])


def test_recall_of_a_sweep_has_wilsons_interval():
    base = np.eye(20, dtype=np.float32)
    level = SweptLevel(
        name="blur_s1",
        transform="blur",
        severity=1,
        strength=1.0,
        unit="px",
        meaning="radius",
        family="blur",
        zero=0.0,
        rising=True,
    )
    (curve,) = compute_sweep(pairs_of(base, {"blur_s1": base}), [level], resamples=200).curves
    assert (curve.recall.low[0], curve.recall.high[0]) == (pytest.approx(20 / (20 + 1.959964**2)), 1)
