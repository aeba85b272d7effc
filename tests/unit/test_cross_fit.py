"""Means at equal damage: literal loops, resamples, coverage, the damage that is reached."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.analysis.sampling.bootstrap import draw_counts
from embshift.analysis.strength.cross_fit import Measured, cross_fit, interval_of, split_images
from embshift.analysis.strength.rank_matched import LevelValues, rank_matched
from embshift.analysis.strength.solved import Solved, SolvedLevel
from embshift.show.text.matched import format_matched, matched_table
from tests.reference import matched_reference as reference
from tests.simulations.matched import TARGET, draw_images

NAN = math.nan


def fitted(measured, *, resamples=100, seed=0):
    halves = split_images(len(measured.values), seed=seed)
    return cross_fit(measured, halves=halves, resamples=resamples, seed=seed)


@given(seed=st.integers(0, 999), images=st.integers(4, 12))
@settings(max_examples=20, deadline=None)
def test_mean_and_resamples_are_those_of_the_literal_loops(seed, images):
    measured = draw_images(np.random.default_rng(seed), images)
    found = fitted(measured, seed=seed)
    tables = measured.damage.tolist(), measured.values.tolist()
    halves = split_images(images, seed=seed).tolist()
    assert found.mean == pytest.approx(reference.cross_fit(*tables, target=TARGET, halves=halves), rel=1e-9)
    counts = next(draw_counts(images, resamples=100, seed=seed))
    for at in range(5):
        drawn = np.repeat(np.arange(images), counts[at].astype(int)).tolist()
        if len({halves[0][image] for image in drawn}) < 2 or np.isnan(found.resampled[at]):
            continue
        wanted = reference.cross_fit(*tables, target=TARGET, halves=halves, images=drawn)
        assert found.resampled[at] == pytest.approx(wanted, rel=1e-9)


def test_halves_are_equal_and_differ_by_split_and_seed():
    halves = split_images(11, seed=0)
    assert halves.sum(axis=1).tolist() == [5] * 5
    assert len({tuple(half) for half in halves.tolist()}) == 5
    assert (split_images(11, seed=1) != halves).any()
    assert (split_images(11, seed=0) == halves).all()


def test_the_damage_of_the_evaluated_half_is_that_of_the_target():
    """Solved on one half alone, the other half's damage is off by several hundredths."""
    measured = draw_images(np.random.default_rng(1), 36)
    damage = Measured(damage=measured.damage, values=measured.damage, target=TARGET)
    (half,) = split_images(36, seed=0)[:1]
    once = abs(damage.values[~half].mean(axis=0)[1] - damage.values[half].mean(axis=0)[1])
    assert abs(fitted(damage).mean - TARGET) < min(0.005, once / 4)


def test_influence_is_the_change_by_one_image():
    measured = draw_images(np.random.default_rng(3), 60)
    found = fitted(measured, resamples=4000)
    error = math.sqrt((found.pulls**2).sum() / (60 * 59))
    assert error == pytest.approx(np.nanstd(found.resampled), rel=0.08)


def test_nothing_is_extrapolated():
    levels = np.tile([0.9, 0.8], (12, 1))
    found = fitted(Measured(damage=levels, values=np.tile([0.1, 0.3], (12, 1)), target=0.5))
    assert (found.mean, found.place) == (pytest.approx(0.3), 1)


def test_undefined_images_are_left_out_and_few_have_no_interval():
    measured = draw_images(np.random.default_rng(0), 12)
    values = measured.values.copy()
    values[:3] = NAN
    found = fitted(Measured(damage=measured.damage, values=values, target=TARGET))
    assert np.isnan(found.by_image[:3]).all()
    assert found.mean == pytest.approx(np.nanmean(found.by_image))
    assert math.isnan(interval_of(found, level=0.95).low[0])
    none = fitted(Measured(damage=measured.damage, values=np.full((12, 3), NAN), target=TARGET))
    assert math.isnan(none.mean)
    assert math.isnan(interval_of(none, level=0.95).low[0])


# The ranking ------------------------------------------------------------------------------------------------


def solved(name, damage):
    levels = [
        SolvedLevel(name=f"{name}{at}", strength=float(at), damage=tuple(damage[:, at].tolist()))
        for at in range(damage.shape[1])
    ]
    return Solved(
        transform=name,
        family="blur",
        kind="ssim",
        target=TARGET,
        unit="px",
        strength=1.0,
        achieved=TARGET,
        levels=tuple(levels),
    )


def ranked(*, images=40, shifts):
    """Transforms whose shifts are so many times those of one and the same."""
    measured = draw_images(np.random.default_rng(0), images)
    values, known = {}, []
    for at, (name, times) in enumerate(shifts.items()):
        noise = 0.02 * np.random.default_rng(at).normal(size=(images, 1))
        known.append(solved(name, measured.damage))
        for level in range(3):
            shift = times * measured.values[:, level] + noise[:, 0]
            values[f"{name}{level}"] = LevelValues(shift=shift, recall=np.ones(images), draws=images)
    ids = [f"id{at}" for at in range(images)]
    return rank_matched(values, known, solved_on=ids, ids=ids, resamples=300).groups[0].rows


def test_doubt_is_that_of_paired_differences_not_of_overlapping_intervals():
    much, more = ranked(shifts={"more": 1.0, "much": 1.1})
    assert (much.transform, much.above, more.above) == ("much", ("more",), ())
    assert much.low < more.high  # the two intervals overlap, and the difference is still certain
    assert [(row.best, row.worst) for row in (much, more)] == [(1, 1), (2, 2)]


def test_equal_shifts_are_not_told_apart():
    rows = ranked(shifts={"one": 1.0, "other": 1.0})
    assert [(row.best, row.worst, row.above) for row in rows] == [(1, 2, ()), (1, 2, ())]


def test_the_ranking_averages_over_as_many_splits_as_it_tells():
    measured = draw_images(np.random.default_rng(0), 40)
    values = {
        f"one{at}": LevelValues(shift=measured.values[:, at], recall=np.ones(40), draws=40) for at in range(3)
    }
    ids = [f"id{at}" for at in range(40)]
    known = [solved("one", measured.damage)]
    found = rank_matched(values, known, solved_on=ids, ids=ids, resamples=100, seed=4)
    halves = split_images(40, seed=4, splits=5)
    tables = {"damage": measured.damage.tolist(), "values": measured.values.tolist(), "target": TARGET}
    over_all = reference.cross_fit(**tables, halves=halves.tolist())
    assert found.groups[0].rows[0].shift == pytest.approx(over_all, rel=1e-9)
    assert over_all != pytest.approx(reference.cross_fit(**tables, halves=halves[:1].tolist()), rel=1e-6)
    assert str(matched_table(found).caption).startswith("5 splits: ")


def test_what_is_off_its_target_is_marked():
    damage = np.tile([0.9, 0.85, 0.8], (20, 1)) + 0.01 * np.random.default_rng(0).normal(size=(20, 1))
    values = {
        f"{name}{at}": LevelValues(shift=np.full(20, 0.1), recall=np.ones(20), draws=20)
        for name in ("far", "near")
        for at in range(3)
    }
    known = [solved("far", damage), solved("near", np.tile(TARGET + np.array([0.1, 0, -0.1]), (20, 1)))]
    ids = [f"id{at}" for at in range(20)]
    found = rank_matched(values, known, solved_on=ids, ids=ids, resamples=200)
    (group,) = found.groups
    rows = {row.transform: row for row in group.rows}
    assert [rows[name].off_target for name in ("far", "near")] == [True, False]
    assert rows["far"].damage == pytest.approx(0.8, abs=0.01)
    assert rows["far"].damage_low < rows["far"].damage < rows["far"].damage_high
    lines = format_matched(found, style="markdown").splitlines()
    assert {name: " * " in line for name in rows for line in lines if f" {name} " in line} == {
        "far": True,
        "near": False,
    }
    explained = "*: off its target, so not equal to the others"
    assert explained in str(matched_table(found).caption)
    on_target = rank_matched(values, known[1:], solved_on=ids, ids=ids, resamples=200)
    assert explained not in str(matched_table(on_target).caption)
