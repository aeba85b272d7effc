"""Values and intervals of compared runs against literal second writings."""

import numpy as np
import pytest
from scipy.special import ndtri

from embshift.analysis.compared.catalogue import COMPARED
from embshift.analysis.compared.intervals import estimate, sample_differences, sample_values
from embshift.analysis.compared.of_runs import pair_shared
from embshift.analysis.compared.score import score_interval
from embshift.analysis.compared.spaces import measure_space_shift, relate_encoders
from embshift.analysis.compared.values import measure_values, pull_denominators
from embshift.analysis.pairing.pairing import pair_panels
from embshift.analysis.pairing.panels import read_panel
from tests.reference.compared_reference import (
    compared_values,
    mean_relative_shift,
    score_ends,
    space_shift,
)
from tests.synthetic_runs import Wanted, make_run

THREE = ("noise", "blur", "jpeg_1")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    wanted = {"transforms": THREE, "images": 24, "draws": 2, "views": False, "maps": False}
    return [make_run(folder / str(seed), Wanted(seed=seed, **wanted)) for seed in (0, 1)]


@pytest.fixture(scope="module")
def values(runs):
    pairing = pair_panels(*(read_panel(run) for run in runs))
    return [measure_values(pairs, transforms=THREE) for pairs in pair_shared(runs, [pairing])]


def test_values_are_those_of_the_definitions(runs, values):
    for run, found in zip(runs, values, strict=True):
        for at, transform in enumerate(THREE):
            wanted = compared_values(run, transform)
            for place, name in enumerate(COMPARED):
                column = dict(zip(found.ids, found.values[:, at, place], strict=True))
                assert column == pytest.approx(wanted[name], abs=1e-12), (transform, name)


def test_a_denominator_is_pulled_as_much_as_a_small_weight_moves_it(values, runs):
    units = np.random.default_rng(0).normal(size=(15, 6))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    shifts = np.random.default_rng(1).uniform(0.1, 0.3, 15)
    shifts[3] = np.nan
    weights = np.ones(15)
    whole, others = mean_relative_shift(units, shifts, weights, numerator=np.ones(15))
    found = pull_denominators(shifts / others, units, others=others)
    for at in range(15):
        moved = weights.copy()
        moved[at] += 1e-6
        change = mean_relative_shift(units, shifts, moved, numerator=np.ones(15))[0] - whole
        assert found[at] == pytest.approx(15 * change / 1e-6, rel=1e-4, abs=1e-5)


def test_a_mean_is_pulled_as_much_as_a_small_weight_moves_it(runs, values):
    found, ratio = values[0], list(COMPARED).index("relative_shift")
    ids, originals = runs[0].image_ids(), runs[0].embeddings()
    order = np.argsort([ids[row] for row in originals.rows.tolist()])
    units = originals.values[order].astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    ones = np.ones(24)
    _, others = mean_relative_shift(units, ones, ones, numerator=ones)
    shifts = found.values[:, 2, ratio] * others  # of the transform that moves most
    whole, _ = mean_relative_shift(units, shifts, ones, numerator=ones)
    pulls = sample_values(found, draws=2).pulls.reshape(24, len(THREE), -1)[:, 2, ratio]
    for at in range(24):
        moved = ones.copy()
        moved[at] += 1e-6
        change = mean_relative_shift(units, shifts, moved, numerator=moved)[0] - whole
        assert pulls[at] == pytest.approx(24 * change / 1e-6, rel=1e-3, abs=1e-5)


def test_proportions_of_all_transforms_share_the_error(values):
    (apart,) = estimate([sample_differences(*values)], resamples=200)
    share = list(COMPARED).index("recall_at_1")
    differences = values[1].values[:, :, share] - values[0].values[:, :, share]
    low, high = score_interval(differences, level=1 - 0.05 / len(THREE))
    assert apart.joint_low[:, share] == pytest.approx(low)
    assert apart.joint_high[:, share] == pytest.approx(high)


def test_differences_are_those_of_the_means(values):
    first, second = values
    one, two, apart = estimate(
        [sample_values(first, draws=2), sample_values(second, draws=2), sample_differences(first, second)],
        resamples=500,
    )
    assert apart.mean == pytest.approx(two.mean - one.mean, abs=1e-12)
    assert (apart.low <= apart.mean).all()
    assert (apart.mean <= apart.high).all()
    assert (apart.joint_low <= apart.low + 0.02).all()
    assert (apart.n == 24).all()


def test_a_run_differs_by_nothing_from_itself(values):
    (apart,) = estimate([sample_differences(values[0], values[0])], resamples=200)
    share = list(COMPARED).index("recall_at_1")
    means = [at for at, name in enumerate(COMPARED) if name not in ("recall_at_1", "nearer_share")]
    assert not apart.mean.any()
    assert not apart.low[:, means].any()
    assert not apart.high[:, means].any()
    # 24 images that agree do not show that all do.
    assert apart.high[:, share] == pytest.approx(1.959964**2 / (24 + 1.959964**2), rel=1e-4)


@pytest.mark.parametrize("counts", [(0, 0, 20), (3, 1, 12), (0, 5, 6), (12, 0, 0), (40, 41, 300)])
def test_score_intervals_are_those_of_the_test_inverted(counts):
    above, below, same = counts
    column = np.array([1.0] * above + [-1.0] * below + [0.0] * same)[:, None]
    low, high = score_interval(column, level=0.95)
    assert (low[0], high[0]) == pytest.approx(score_ends(above, below, above + below + same), abs=2e-3)


def test_a_space_shift_is_that_of_the_definition():
    rng = np.random.default_rng(2)
    one = rng.normal(size=(30, 8))
    two = one + 0.3 * rng.normal(size=(30, 8))
    one, two = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (one, two))
    found, wanted = measure_space_shift(one, two, neighbours=5), space_shift(one, two, neighbours=5)
    got = (found.same_image_shift, found.neighbour_overlap, found.old_index_recall)
    assert got == pytest.approx(wanted)


def test_encoders_are_told_apart():
    rng = np.random.default_rng(3)
    one, two = (rng.normal(size=(30, 8)) for _ in range(2))
    one, two = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (one, two))
    near = one + 0.01 * two
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    assert relate_encoders("a", "a", shift=None) == "same weights"
    assert relate_encoders(None, None, shift=measure_space_shift(one, near)) == "one space"
    assert relate_encoders("a", "b", shift=measure_space_shift(one, near)) == "one space"
    assert relate_encoders("a", "b", shift=measure_space_shift(one, two)) == "different encoders"
    assert relate_encoders("a", "b", shift=None) == "different encoders"


@pytest.mark.parametrize("level", [0.9, 0.95, 0.995])
@pytest.mark.parametrize("images", [1, 10, 36, 268, 100_000])
def test_score_intervals_where_pairs_agree_or_all_differ_are_those_of_the_formula(images, level):
    """Solved by hand: n Δ / (1 − Δ) = z² where no pair differs, n (1 − Δ) / (1 + Δ) = z² where all gain."""
    z = float(ndtri((1 + level) / 2))
    none, all_gained = np.zeros((images, 1)), np.ones((images, 1))
    low, high = score_interval(none, level=level)
    assert (-low[0], high[0]) == pytest.approx((z**2 / (images + z**2),) * 2, rel=1e-9)
    low, high = score_interval(all_gained, level=level)
    assert (low[0], high[0]) == pytest.approx(((images - z**2) / (images + z**2), 1), rel=1e-9)
    low, high = score_interval(-all_gained, level=level)
    assert (-low[0], high[0]) == pytest.approx((1, -(images - z**2) / (images + z**2)), rel=1e-9)
