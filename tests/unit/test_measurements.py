"""Measurements on embeddings: calibrated size, retrieval, direction, structure; known answers and loops."""

import itertools
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.distance import pdist
from scipy.stats import ortho_group, spearmanr
from scipy.stats import t as student
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors

from embshift.analysis.embeddings import neighbours, undo_direction
from embshift.analysis.embeddings.agreement import linear_cka, procrustes, rsa, unbiased_cka
from embshift.analysis.embeddings.calibration import (
    calibrate,
    distance_scale,
    mean_distance_to_others,
    shares_below,
)
from embshift.analysis.embeddings.catalogue import CALIBRATION, DIRECTION, MEASURES, RETRIEVAL, STRUCTURE
from embshift.analysis.embeddings.direction import (
    consistency,
    effective_rank,
    explained_variance,
    mean_shift,
    measure_direction,
    removals,
)
from embshift.analysis.embeddings.floors import LOWEST, floor, floor_ratio, highest_floor
from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.embeddings.neighbours import half_squared_distances, scan
from embshift.analysis.embeddings.pairs import make_pairs, unit_vectors
from embshift.analysis.embeddings.retrieval import neighbour_overlap, retrieve
from embshift.analysis.embeddings.structure import measure_structure
from embshift.analysis.embeddings.undo_direction import FOLDS, assign_folds, compute_repaired_shifts
from embshift.analysis.sampling.jackknife import jackknife
from embshift.core.errors import PlanError
from tests.reference import measurements_reference as reference

NAN = float("nan")
MEASURE = {
    "calibration": calibrate,
    "retrieval": retrieve,
    "direction": measure_direction,
    "structure": measure_structure,
}


def cloud(images=14, dim=6, *, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(images, dim)) + 0.7).astype(np.float32)


def pairs_of(originals, views, *, ids=None, rows=None, draws=None):
    """Pairs of one or more transforms; a view is (images, dim) or (rows, draws, values)."""
    rows = np.arange(len(originals)) if rows is None else np.asarray(rows)
    ids = ids or {row: f"id{row}" for row in rows.tolist()}

    def read(transform):
        found = views[transform]
        if isinstance(found, tuple):
            return found
        return rows, np.zeros(len(rows), np.int64), found

    return make_pairs(rows=rows, values=originals, ids=ids, transforms=list(views), read=read)


def moved(originals, *, by=0.3, seed=1):
    return (originals + by * np.random.default_rng(seed).normal(size=originals.shape)).astype(np.float32)


def means_of(measured: Measured, transform: str) -> dict[str, float]:
    return {one.name: measured.mean(transform, one.name) for one in measured.measures}


# What holds for all -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(MEASURE))
def test_at_identity_every_measure_has_the_value_that_it_states(name):
    base = cloud(20)
    found = MEASURE[name](pairs_of(base, {"same": base}))
    for one in found.measures:
        value = found.mean("same", one.name)
        if not math.isnan(one.identity):
            assert value == pytest.approx(one.identity, abs=1e-7), one.name
        # What was seen and has no value is undefined, whichever measure it is.
        assert found.undefined[0, found.column(one.name)] == 20 - found.count("same", one.name)
    for one in MEASURES["direction"]:
        if name == "direction" and math.isnan(one.identity):
            assert math.isnan(found.mean("same", one.name)), one.name


@pytest.mark.parametrize("name", list(MEASURE))
@given(seed=st.integers(0, 500), images=st.integers(11, 16), by=st.sampled_from([0.01, 0.5, 3.0]))
@settings(max_examples=12, deadline=None)
def test_values_and_intervals_stay_within_their_bounds(name, seed, images, by):
    base = cloud(images, 4, seed=seed)
    options = {"permutations": 2} if name == "structure" else {"resamples": 100}
    found = MEASURE[name](pairs_of(base, {"moved": moved(base, by=by, seed=seed)}), **options)
    for at, one in enumerate(found.measures):
        for side in (found.estimates.mean, found.estimates.low, found.estimates.high):
            if not math.isnan(side[0, at]):
                assert one.bounds[0] - 1e-9 <= side[0, at] <= one.bounds[1] + 1e-9, one.name


@pytest.mark.parametrize("name", list(MEASURE))
def test_twice_is_the_same_and_another_seed_changes_no_exact_value(name):
    base = cloud(20)
    pairs = pairs_of(base, {"moved": moved(base)})
    one, same, other = (MEASURE[name](pairs, seed=seed) for seed in (0, 0, 1))
    for part in ("mean", "low", "high"):
        np.testing.assert_array_equal(getattr(one.estimates, part), getattr(same.estimates, part))
    drawn = [
        at
        for at, measure in enumerate(one.measures)
        if "chance" in measure.name or "corrected" in measure.name
    ]
    kept = [at for at in range(len(one.measures)) if at not in drawn]
    np.testing.assert_array_equal(one.estimates.mean[:, kept], other.estimates.mean[:, kept])
    if drawn:
        assert (one.estimates.mean[:, drawn] != other.estimates.mean[:, drawn]).any()


@pytest.mark.parametrize("name", list(MEASURE))
def test_equal_pictures_count_once_and_vectors_without_an_angle_are_counted(name):
    base = cloud(20)
    views = moved(base)
    plain = MEASURE[name](pairs_of(base, {"moved": views}))
    twice = np.concatenate([base, base[:1], np.zeros((1, 6), np.float32)])
    ids = {row: f"id{row}" for row in range(20)} | {20: "id0", 21: "black"}
    again = MEASURE[name](
        pairs_of(twice, {"moved": np.concatenate([views, views[:1] + 1, views[:1]])}, ids=ids)
    )
    np.testing.assert_array_equal(plain.estimates.mean, again.estimates.mean)
    assert (again.images, again.left_out) == (20, 1)


@pytest.mark.parametrize("name", list(MEASURE))
def test_a_view_without_an_angle_is_undefined_and_a_failed_one_is_missing(name):
    base = cloud(20)
    views = moved(base)
    views[3] = 0
    rows = np.delete(np.arange(20), 5)
    found = MEASURE[name](pairs_of(base, {"moved": (rows, np.zeros(19, np.int64), views[rows])}))
    assert found.estimates.n.max() == 18
    assert (found.undefined[0] == 1).all()
    assert not np.isnan(found.estimates.mean).any()


@pytest.mark.parametrize("name", list(MEASURE))
def test_without_views_or_pictures_everything_is_undefined(name):
    base = cloud(20)
    nothing = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 6), np.float32))
    found = MEASURE[name](pairs_of(base, {"moved": moved(base), "failed": nothing}))
    assert np.isnan(found.estimates.mean[1]).all()
    assert (found.estimates.n[1] == 0).all()
    alone = MEASURE[name](pairs_of(base[:0], {"failed": nothing}))
    assert np.isnan(alone.estimates.mean).all()


@pytest.mark.parametrize("name", list(MEASURE))
def test_one_picture_has_no_neighbours_and_no_structure(name):
    base = cloud(1)
    found = means_of(MEASURE[name](pairs_of(base, {"moved": moved(base)})), "moved")
    known = {key for key, value in found.items() if not math.isnan(value)}
    assert (
        known
        == {
            "calibration": {"cosine_shift", "unit_l2", "norm_ratio"},
            "retrieval": set(),
            "direction": {"mean_shift", "effective_rank"},
            "structure": set(),
        }[name]
    )


@pytest.mark.parametrize("name", list(MEASURE))
def test_draws_are_averaged_within_a_picture(name):
    base = cloud(20)
    one, two = moved(base, seed=1), moved(base, seed=2)
    rows = np.repeat(np.arange(20), 2)
    both = np.stack([one, two], axis=1).reshape(40, 6)
    found = MEASURE[name](pairs_of(base, {"both": (rows, np.tile([0, 1], 20), both)}))
    single = [MEASURE[name](pairs_of(base, {"both": view})) for view in (one, two)]
    if name == "direction":  # whose shift vectors are averaged, before anything is computed from them
        return
    columns = slice(None)
    wanted = (single[0].estimates.mean + single[1].estimates.mean) / 2
    np.testing.assert_allclose(found.estimates.mean[:, columns], wanted[:, columns], rtol=1e-12)
    assert found.estimates.n.max() == 20


def test_shift_vectors_are_averaged_over_draws_first():
    base = cloud(20).astype(float)
    draws = [moved(base, seed=seed) for seed in (1, 2, 3)]
    rows = np.repeat(np.arange(20), 3)
    # The last image lacks its third draw: it still counts as one image.
    views = np.stack(draws, axis=1).reshape(60, 6)[:-1]
    pairs = pairs_of(base, {"drawn": (rows[:-1], np.tile([0, 1, 2], 20)[:-1], views)})
    units = [unit_vectors(base)[0], *(unit_vectors(draw)[0] for draw in draws)]
    shifts = [
        np.mean([draw[at] - units[0][at] for draw in units[1 : 3 if at == 19 else 4]], axis=0).tolist()
        for at in range(20)
    ]
    found = means_of(measure_direction(pairs), "drawn")
    middle = [reference.mean(column) for column in zip(*shifts)]
    assert found["mean_shift"] == pytest.approx(math.hypot(*middle))
    assert mean_shift(pairs, "drawn").tolist() == pytest.approx(middle)
    assert found["explained_variance"] == pytest.approx(reference.explained_variance(shifts))
    assert found["consistency"] == pytest.approx(reference.mean(reference.consistency(shifts)))
    assert found["effective_rank"] == pytest.approx(effective_rank(np.array(shifts)))


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_measures_state_themselves(name):
    names = [one.name for one in MEASURES[name]]
    assert len(set(names)) == len(names)
    for one in MEASURES[name]:
        assert one.summary
        assert one.blind_to
        assert one.reference
        assert one.bounds[0] < one.bounds[1]
        assert math.isnan(one.identity) or one.bounds[0] <= one.identity <= one.bounds[1]


@pytest.mark.parametrize("name", ["calibration", "retrieval"])
def test_asked_about_some_the_values_are_theirs_among_all(name):
    originals, views = cloud(60), cloud(60) + 2 * cloud(60, seed=5)
    whole = pairs_of(originals, {"moved": views})
    asked = whole.asked(9, seed=4)
    some = MEASURE[name](whole, queries=9, seed=4)
    assert some.images == 60
    assert "views of a seeded sample of 9 images are compared with all 60 originals" in some.notes
    # Every other view is taken away: what is left was measured against the same 60 originals.
    rest = np.setdiff1d(np.arange(60), asked)
    alone = MEASURE[name](
        pairs_of(originals, {"moved": np.where(np.isin(np.arange(60), rest)[:, None], 0, views)})
    )
    for measure in some.measures:
        if measure.name != "neighbour_percentile":  # the scale of this one is over the pictures asked about
            assert some.mean("moved", measure.name) == pytest.approx(alone.mean("moved", measure.name)), (
                measure
            )
    assert some.estimates.n.max() == 9
    assert not some.undefined.any()


@pytest.mark.parametrize("name", ["calibration", "retrieval"])
def test_beyond_a_size_some_are_asked_about(name, monkeypatch):
    pairs = pairs_of(cloud(30), {"same": cloud(30)})
    assert MEASURE[name](pairs).estimates.n.max() == 30
    monkeypatch.setattr("embshift.analysis.embeddings.pairs.ALL", 20)
    monkeypatch.setattr("embshift.analysis.embeddings.pairs.QUERIES", 7)
    assert MEASURE[name](pairs).estimates.n.max() == 7
    assert MEASURE[name](pairs, queries=30).estimates.n.max() == 30


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("calibration", {"resamples": 10}, "resamples is 10; expected 100 or more"),
        ("retrieval", {"level": 95}, "level is 95; expected a share"),
        ("retrieval", {"neighbours": 0}, "neighbours is 0; expected 1 or more"),
        ("retrieval", {"queries": 1}, "queries is 1; expected 2 or more"),
        ("direction", {"resamples": 10}, "resamples is 10"),
        ("structure", {"permutations": 0}, "permutations is 0; expected 1 or more"),
    ],
)
def test_wrong_wishes(name, options, message):
    with pytest.raises(PlanError, match=message):
        MEASURE[name](pairs_of(cloud(5), {"same": cloud(5)}), **options)


def test_a_sample_keeps_the_order_and_is_seeded():
    pairs = pairs_of(cloud(30), {"same": cloud(30)})
    kept = [pairs.sample(8, seed=seed).rows.tolist() for seed in (3, 3, 4)]
    assert kept[0] == kept[1] != kept[2]
    assert kept[0] == sorted(kept[0])
    assert pairs.sample(8, seed=3).ids == tuple(f"id{row}" for row in kept[0])
    assert len(pairs.sample(None, seed=0)) == len(pairs.sample(99, seed=0)) == 30


# Size, calibrated -------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 999), images=st.integers(2, 12))
@settings(max_examples=20, deadline=None)
def test_calibration_equals_the_literal_loops(seed, images):
    base = cloud(images, 5, seed=seed)
    views = moved(base, by=0.6, seed=seed)
    found = means_of(calibrate(pairs_of(base, {"moved": views}), resamples=100), "moved")
    rows = reference.calibration(base.tolist(), views.tolist())
    for name, value in found.items():
        assert value == pytest.approx(reference.mean([row[name] for row in rows]), rel=1e-9), name


def test_a_shift_far_below_float32_is_told_from_nothing():
    base = cloud(6, 8).astype(np.float64)
    views = base.copy()
    views[:, 0] += 1e-9
    found = calibrate(pairs_of(base, {"moved": views}))
    wanted = reference.mean(
        [row["cosine_shift"] for row in reference.calibration(base.tolist(), views.tolist())]
    )
    assert 0 < wanted < 1e-17
    assert found.mean("moved", "cosine_shift") == pytest.approx(wanted, rel=1e-6)


def test_a_planted_shift_is_read_in_units_of_the_nearest_neighbour():
    # Pictures on a circle, a step apart; the view stands two steps on, where the next but one picture is.
    step = 2 * math.pi / 40
    angles = step * np.arange(40)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    views = 3 * np.stack([np.cos(angles + 2 * step), np.sin(angles + 2 * step)], axis=1)
    found = means_of(calibrate(pairs_of(points, {"turned": views})), "turned")
    assert found["cosine_shift"] == pytest.approx(1 - math.cos(2 * step))
    assert found["neighbour_ratio"] == pytest.approx((1 - math.cos(2 * step)) / (1 - math.cos(step)))
    assert found["neighbour_percentile"] == 100
    assert found["norm_ratio"] == pytest.approx(3)
    # On a circle the mean distance to the 39 others is 1 + 1/39.
    assert found["relative_shift"] == pytest.approx((1 - math.cos(2 * step)) / (1 + 1 / 39))


def test_mean_distance_to_others_keeps_its_digits_where_all_lie_close():
    units, _ = unit_vectors(1 + 1e-6 * np.random.default_rng(0).normal(size=(9, 5)))
    wanted = [
        reference.mean([reference.shift(a, b) for b in units.tolist() if b != a]) for a in units.tolist()
    ]
    assert mean_distance_to_others(units).tolist() == pytest.approx(wanted, rel=1e-6)


def test_equal_embeddings_of_different_pictures_leave_the_ratio_undefined():
    base = cloud(8)
    base[1] = base[0]
    found = calibrate(pairs_of(base, {"moved": moved(base)}))
    assert found.undefined[0].tolist() == [0, 0, 0, 0, 2, 0]
    assert found.estimates.n[0].tolist() == [8, 8, 8, 8, 6, 8]
    assert any("2 images share their embedding" in note for note in found.notes)


def test_shares_below_are_strict_and_leave_nan():
    scale = np.array([0.1, 0.2, 0.2, NAN, 0.5])
    found = shares_below(np.array([0.0, 0.1, 0.2, 0.3, 9.0, NAN]), scale)
    assert found[:5].tolist() == [0, 0, 25, 75, 100]
    assert math.isnan(found[5])


def test_floor_is_a_percentile_of_shifts_and_the_highest_preparation_counts():
    base = cloud(400, 8)
    low = floor(base, moved(base, by=0.001), kind="preparation", name="jpeg")
    high = floor(base, moved(base, by=0.01), kind="preparation", name="resize")
    numeric = floor(base, moved(base, by=0.1), kind="numeric", name="half precision")
    shifts = [
        reference.shift(reference.unit(a), reference.unit(b)) for a, b in zip(base, moved(base, by=0.01))
    ]
    assert high.high == pytest.approx(np.quantile(shifts, 0.95))
    assert high.median == pytest.approx(np.median(shifts))
    assert (high.most, high.images) == (pytest.approx(max(shifts)), 400)
    assert high.mean == pytest.approx(np.mean(shifts))
    assert high.shifts == pytest.approx(shifts)
    assert highest_floor([low, high, numeric]) is high
    assert highest_floor([numeric]) is None
    rare = replace(low, high=1.0)
    assert highest_floor([rare, high]) is high  # by the mean that shifts are divided by


def test_shifts_are_multiples_of_the_floor_only_where_there_is_one():
    base = cloud(50, 8)
    pairs = pairs_of(base, {"moved": moved(base)})
    tiny = floor(base, base, kind="preparation", name="again")
    assert tiny.high < LOWEST
    without = calibrate(pairs, floors=[tiny])
    assert [one.name for one in without.measures] == [one.name for one in CALIBRATION]
    assert any("no preparation floor" in note for note in without.notes)
    real = floor(base, moved(base, by=0.02, seed=5), kind="preparation", name="jpeg")
    with_one = calibrate(pairs, floors=[tiny, real])
    assert with_one.mean("moved", "floor_ratio") == pytest.approx(
        with_one.mean("moved", "cosine_shift") / real.mean
    )
    assert sum("floor, " in note for note in with_one.notes) == 2


def test_a_floor_is_as_uncertain_as_a_shift():
    """The interval of a ratio of two means, by the delta method: both samples count."""
    rng = np.random.default_rng(0)
    shifts, base = rng.gamma(4, size=(300, 1)), rng.gamma(4, size=200)
    below = replace(floor(cloud(3), moved(cloud(3)), kind="preparation", name="jpeg"), images=200)
    below = replace(below, mean=float(base.mean()), shifts=tuple(base.tolist()))
    found = floor_ratio(shifts, below, level=0.95)
    ratio = shifts.mean() / base.mean()
    error = ratio * math.sqrt(
        (shifts.std() / shifts.mean()) ** 2 / 300 + (base.std() / base.mean()) ** 2 / 200
    )
    assert found.mean[0] == pytest.approx(ratio)
    assert found.high[0] - found.low[0] == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_the_interval_over_a_floor_by_its_definition():
    """Literally, transform by transform; nothing that shifts is 0, and few images have no interval."""
    rng = np.random.default_rng(0)
    shifts, base = rng.gamma(2, size=(24, 3)), rng.gamma(2, size=15)
    shifts[:7, 1], shifts[:, 2] = np.nan, 0
    below = replace(floor(cloud(3), moved(cloud(3)), kind="preparation", name="jpeg"), images=15)
    below = replace(below, mean=float(base.mean()), shifts=tuple(base.tolist()))
    found = floor_ratio(shifts, below, level=0.9)
    for at, own in enumerate((shifts[:, 0], shifts[7:, 1])):
        ratio = statistics.mean(own) / statistics.mean(base)
        parts = [statistics.variance(each) / len(each) / statistics.mean(each) ** 2 for each in (own, base)]
        wide = student.ppf(0.95, 14) * math.sqrt(sum(parts))
        assert found.low[at] == pytest.approx(math.exp(math.log(ratio) - wide))
        assert found.high[at] == pytest.approx(math.exp(math.log(ratio) + wide))
    assert (found.mean[2], found.low[2], found.high[2]) == (0, 0, 0)
    few = floor_ratio(shifts[:9], below, level=0.9)
    assert np.isnan([few.low, few.high]).all()


def test_the_interval_of_the_ratio_is_shown_by_calibration():
    base = cloud(50, 8)
    pairs = pairs_of(base, {"moved": moved(base)})
    real = floor(base, moved(base, by=0.02, seed=5), kind="preparation", name="jpeg")
    found = calibrate(pairs, floors=[real])
    low, high = found.interval("moved", "floor_ratio")
    shift_low, shift_high = found.interval("moved", "cosine_shift")
    assert high - low > 1.1 * (shift_high - shift_low) / real.mean


def test_a_floor_of_nothing_is_undefined():
    none = floor(np.zeros((2, 3)), np.ones((2, 3)), kind="numeric", name="x")
    assert (none.images, math.isnan(none.high), math.isnan(none.most)) == (0, True, True)


# Retrieval --------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 999), images=st.integers(7, 14), by=st.sampled_from([0.2, 1.0, 3.0]))
@settings(max_examples=25, deadline=None)
def test_retrieval_equals_the_literal_loops(seed, images, by):
    base = cloud(images, 4, seed=seed)
    views = moved(base, by=by, seed=seed)
    found = means_of(retrieve(pairs_of(base, {"moved": views}), neighbours=3, resamples=100), "moved")
    rows = reference.retrieval(base.tolist(), views.tolist(), k=3)
    assert found["recall_at_1"] == pytest.approx(reference.mean([row["rank"] <= 1 for row in rows]))
    assert found["recall_at_5"] == pytest.approx(reference.mean([row["rank"] <= 5 for row in rows]))
    assert found["mrr"] == pytest.approx(reference.mean([1 / row["rank"] for row in rows]))
    assert found["margin"] == pytest.approx(reference.mean([row["margin"] for row in rows]))
    assert found["knn_jaccard"] == pytest.approx(reference.mean([row["overlap"] for row in rows]))


def test_neighbours_are_those_of_scikit_learn():
    units, _ = unit_vectors(cloud(300, 10))
    found = scan(units, units, own=np.arange(300), neighbours=7)
    theirs = NearestNeighbors(n_neighbors=8, metric="cosine", algorithm="brute").fit(units)
    distances, places = theirs.kneighbors(units)
    np.testing.assert_array_equal(found.nearest, places[:, 1:])
    np.testing.assert_allclose(1 - found.best, distances[:, 1], atol=1e-12)


def test_ties_count_against_the_original():
    base = cloud(8)
    base[4] = base[2]  # another picture with the very embedding
    found = scan(*[unit_vectors(base)[0]] * 2, own=np.arange(8))
    assert found.rank.tolist() == [1, 1, 2, 1, 2, 1, 1, 1]


def test_what_float32_cannot_tell_apart_is_settled_in_float64():
    rng = np.random.default_rng(0)
    middle = rng.normal(size=64)
    units, _ = unit_vectors(middle + 1e-7 * rng.normal(size=(60, 64)))
    assert len(np.unique(np.round(units.astype(np.float32) @ units[0].astype(np.float32), 7))) < 10
    views, _ = unit_vectors(units + 3e-8 * rng.normal(size=units.shape))
    found = scan(views, units, own=np.arange(60), neighbours=5)
    exact = [[math.fsum((v * z).tolist()) for z in units] for v in views]
    wanted = [sum(row[j] >= row[i] - 1e-17 for j in range(60)) for i, row in enumerate(exact)]
    assert np.abs(found.rank - wanted).max() <= 1  # two products closer than float64 itself can tell
    assert (found.rank == wanted).mean() > 0.9
    for i, row in enumerate(exact):
        fifth = sorted(row[:i] + row[i + 1 :], reverse=True)[4]
        assert min(row[j] for j in found.nearest[i].tolist()) >= fifth - 1e-15


def test_collapsed_embeddings_find_nothing():
    base = np.ones((30, 5), np.float32)
    found = means_of(retrieve(pairs_of(base, {"same": base})), "same")
    assert (found["recall_at_10"], found["mrr"], found["margin"]) == (0, pytest.approx(1 / 30), 0)


def test_blocks_change_nothing(monkeypatch):
    units, _ = unit_vectors(cloud(50))
    whole = scan(units, units[::-1].copy(), own=np.arange(50)[::-1].copy(), neighbours=4)
    monkeypatch.setattr(neighbours, "PRODUCTS_AT_ONCE", 170)
    monkeypatch.setattr(neighbours, "NUMBERS_AT_ONCE", 30)
    parts = scan(units, units[::-1].copy(), own=np.arange(50)[::-1].copy(), neighbours=4)
    for name in ("rank", "own", "best", "nearest"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


def test_planted_confusion_has_the_recall_that_was_planted():
    base = np.eye(20, dtype=np.float32)
    views = base.copy()
    views[:5] = base[1:6] + 0.5 * base[:5]  # the neighbour is nearer than the original, which is second
    found = means_of(retrieve(pairs_of(base, {"swapped": views})), "swapped")
    assert found["recall_at_1"] == 0.75
    assert found["recall_at_5"] == 1
    assert found["mrr"] == pytest.approx((15 + 5 / 2) / 20)
    assert found["margin"] == pytest.approx((15 * 1 - 5 * 0.5 / math.sqrt(1.25)) / 20)


def test_a_gallery_too_small_to_miss_gives_no_recall():
    found = means_of(retrieve(pairs_of(cloud(5), {"same": cloud(5)})), "same")
    assert {name for name, value in found.items() if math.isnan(value)} == {
        "recall_at_5",
        "recall_at_10",
        "knn_jaccard",
    }


def test_overlap_of_neighbours():
    one, other = np.array([[1, 2, 3], [1, 2, 3], [4, 5, 6]]), np.array([[3, 2, 1], [7, 8, 1], [1, 2, 3]])
    assert neighbour_overlap(one, other).tolist() == [1, pytest.approx(1 / 5), 0]


def test_the_gallery_is_kept_while_queries_are_resampled():
    """The interval is that of a mean of fixed values: a picture's rank does not change with the resample."""
    base = np.eye(40, dtype=np.float32)
    views = base.copy()
    views[:10] = np.roll(base[:10], 1, axis=0)
    low, high = retrieve(pairs_of(base, {"swapped": views})).interval("swapped", "recall_at_1")
    spread = math.sqrt(0.75 * 0.25 / 40)
    assert (high - low) == pytest.approx(2 * 1.96 * spread, rel=0.15)


# Direction --------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 999), images=st.integers(3, 10))
@settings(max_examples=20, deadline=None)
def test_direction_equals_the_literal_loops(seed, images):
    shifts = np.random.default_rng(seed).normal(size=(images, 4)) + 0.3
    assert explained_variance(shifts) == pytest.approx(
        reference.explained_variance(shifts.tolist()), rel=1e-9
    )
    assert consistency(shifts).tolist() == pytest.approx(reference.consistency(shifts.tolist()), rel=1e-9)


def test_one_common_vector_explains_everything():
    shifts = np.tile([[0.1, -0.2, 0.3]], (12, 1))
    assert explained_variance(shifts) == pytest.approx(1)
    assert consistency(shifts).tolist() == pytest.approx([1] * 12)
    assert effective_rank(shifts) == pytest.approx(1)


def test_random_directions_are_explained_by_nothing_on_average():
    rng = np.random.default_rng(0)
    found = [explained_variance(rng.normal(size=(5, 8))) for _ in range(2000)]
    assert np.mean(found) == pytest.approx(0, abs=0.01)
    biased = [1 / 5 for _ in found]  # what ‖μ‖²/m would give
    assert abs(np.mean(found)) < 0.1 * np.mean(biased)


@pytest.mark.parametrize("images", [3, 5, 40])
def test_effective_rank_counts_equal_directions(images):
    shifts = np.zeros((images, 5))
    for at in range(images):
        shifts[at, at % 3] = 1
    sizes = np.sqrt(np.bincount(np.arange(images) % 3))
    shares = sizes / sizes.sum()
    assert effective_rank(shifts) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    wanted = np.linalg.svd(cloud(images, 5), compute_uv=False)
    wanted = wanted / wanted.sum()
    assert effective_rank(cloud(images, 5).astype(float)) == pytest.approx(
        np.exp(-(wanted * np.log(wanted)).sum())
    )


def spread(images=60, dim=8, *, seed=0):
    return unit_vectors(np.random.default_rng(seed).normal(size=(images, dim)))[0]


def test_a_common_vector_is_removed_by_subtracting_it():
    originals = np.tile(np.eye(4)[:1], (60, 1)) + 0.05 * spread(60, 4)
    originals = unit_vectors(originals)[0]
    views = unit_vectors(originals + np.array([0, 0.3, 0, 0]))[0]
    before = half_squared_distances(originals, views).sum()
    after = {name: one.sum() for name, one in compute_repaired_shifts(originals, views).items()}
    assert 1 - after["mean"] / before > 0.98
    assert 1 - after["linear"] / before >= 1 - after["mean"] / before - 1e-3


def test_a_rotation_is_removed_by_an_orthogonal_map_and_not_by_a_vector():
    originals = spread()
    turn = ortho_group.rvs(8, random_state=1)
    found = compute_repaired_shifts(originals, originals @ turn)
    before = half_squared_distances(originals, originals @ turn).sum()
    assert found["orthogonal"].max() < 1e-12
    assert 1 - found["mean"].sum() / before < 0.1


def test_a_linear_map_is_removed_by_the_ridge_alone():
    originals = spread(400)
    map_ = np.diag([1, 1, 1, 1, 0.5, 0.5, 2, 2]) @ ortho_group.rvs(8, random_state=1)
    views = unit_vectors(originals @ map_)[0]
    found = {name: one.sum() for name, one in compute_repaired_shifts(originals, views).items()}
    assert found["linear"] < 0.35 * found["orthogonal"] < found["mean"]


def test_noise_cannot_be_repaired_and_held_out_pictures_say_so():
    originals = spread(200, 30)
    views = unit_vectors(originals + 0.5 * spread(200, 30, seed=9))[0]
    before = half_squared_distances(originals, views).sum()
    for name, after in compute_repaired_shifts(originals, views).items():
        assert 1 - after.sum() / before < 0.12, name
    # and the mean repair of what has no common direction does a little harm
    assert -0.1 < 1 - compute_repaired_shifts(originals, views)["mean"].sum() / before < 0.01


def test_the_ridge_is_that_of_scikit_learn_with_the_best_penalty_of_the_training_folds():
    rng = np.random.default_rng(3)
    originals = spread(90, 6)
    views = unit_vectors(
        originals @ (np.eye(6) + 0.3 * rng.normal(size=(6, 6))) + 0.1 * rng.normal(size=(90, 6))
    )[0]
    found = compute_repaired_shifts(originals, views, seed=4)["linear"]
    fold, shifts = assign_folds(90, seed=4), views - originals
    for held in range(FOLDS):
        errors = {}
        for strength in np.logspace(-4, 4, 17):
            errors[strength] = 0.0
            for tried in set(range(FOLDS)) - {held}:
                inner = (fold != held) & (fold != tried)
                model = Ridge(alpha=strength * units_of(views[inner])).fit(views[inner], shifts[inner])
                errors[strength] += ((model.predict(views[fold == tried]) - shifts[fold == tried]) ** 2).sum()
        best, inner = min(errors, key=errors.get), fold != held
        model = Ridge(alpha=best * units_of(views[inner])).fit(views[inner], shifts[inner])
        repaired = views[~inner] - model.predict(views[~inner])
        repaired /= np.linalg.norm(repaired, axis=1, keepdims=True)
        np.testing.assert_allclose(
            found[~inner], half_squared_distances(originals[~inner], repaired), rtol=1e-6
        )


def units_of(views):
    """What a penalty of 1 is: the mean eigenvalue of the centred products."""
    return np.trace(np.cov(views.T) * (len(views) - 1)) / views.shape[1]


def test_folds_are_equal_and_seeded():
    assert np.bincount(assign_folds(23, seed=0)).tolist() == [5, 5, 5, 4, 4]
    assert (
        assign_folds(23, seed=0).tolist()
        == assign_folds(23, seed=0).tolist()
        != assign_folds(23, seed=1).tolist()
    )


def test_few_pictures_are_not_repaired():
    found = compute_repaired_shifts(spread(9), spread(9, seed=1))
    assert all(np.isnan(one).all() for one in found.values())


def test_what_is_removed_is_told_in_a_sentence():
    originals = unit_vectors(np.tile(np.eye(4)[:1], (60, 1)) + 0.05 * spread(60, 4))[0]
    views = unit_vectors(originals + np.array([0, 0.3, 0, 0]))[0]
    found = measure_direction(pairs_of(originals, {"bright": views, "none": originals}))
    bright, none = removals(found)
    assert 0.98 < bright.low <= bright.share <= bright.high <= 1
    percent = f"{round(100 * bright.share)} %"
    assert bright.told().startswith(f"bright: subtracting the mean shift removes {percent} (")
    assert bright.told().endswith("of the shift, measured on 60 held-out images")
    assert "too few images moved" in none.told()
    length = np.linalg.norm((views - originals).mean(axis=0))
    assert length == pytest.approx(found.mean("bright", "mean_shift"))


def test_the_interval_of_a_share_without_a_fit_is_that_of_a_ratio():
    originals = unit_vectors(np.tile(np.eye(6)[:1], (80, 1)) + 0.3 * spread(80, 6))[0]
    views = unit_vectors(originals + np.eye(6)[1] * 0.3 + 0.2 * spread(80, 6, seed=5))[0]
    after, before = (
        compute_repaired_shifts(originals, views)["mean"],
        half_squared_distances(originals, views),
    )
    found = undo_direction.removed_shares(
        after[:, None], before[:, None], resamples=4_000, level=0.95, seed=0
    )
    rng = np.random.default_rng(1)
    taken = rng.integers(80, size=(20_000, 80))
    plain = np.quantile(1 - after[taken].sum(axis=1) / before[taken].sum(axis=1), [0.025, 0.975])
    ends = [float(found.low[0]), float(found.high[0])]
    assert ends == pytest.approx(plain.tolist(), abs=0.15 * (plain[1] - plain[0]))


def test_a_pictures_pull_on_a_share_is_what_leaving_it_out_changes():
    rng = np.random.default_rng(0)
    before = rng.lognormal(size=(400, 1))
    after = before * rng.uniform(0, 1, size=(400, 1))
    share, pulls, n = undo_direction._shares(after, before)
    without = [1 - np.delete(after, at).sum() / np.delete(before, at).sum() for at in range(400)]
    jackknife = 399 * (share[0] - np.array(without))
    assert n.tolist() == [400]
    scale = pulls[:, 0] / before.mean()  # up to the factor that the interval does not see
    np.testing.assert_allclose(scale, jackknife, atol=0.05 * np.abs(jackknife).max())


# Structure --------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 999), images=st.integers(4, 9))
@settings(max_examples=20, deadline=None)
def test_cka_equals_the_literal_sums(seed, images):
    one, other = cloud(images, 5, seed=seed).astype(float), cloud(images, 3, seed=seed + 1).astype(float)
    assert linear_cka(one, other) == pytest.approx(reference.cka(one, other), rel=1e-9)
    hsic = reference.hsic_unbiased
    spreads = hsic(one.tolist(), one.tolist()) * hsic(other.tolist(), other.tolist())
    wanted = hsic(one.tolist(), other.tolist()) / math.sqrt(spreads) if spreads > 0 else NAN
    assert unbiased_cka(one, other) == pytest.approx(wanted, rel=1e-6, abs=1e-9, nan_ok=True)


def test_rotation_scale_and_translation_leave_structure_alone():
    base = cloud(40, 6).astype(float)
    turned = 3 * base @ ortho_group.rvs(6, random_state=0) + 5
    assert linear_cka(base, turned) == pytest.approx(1, abs=1e-12)
    assert unbiased_cka(base, turned) == pytest.approx(1, abs=1e-9)
    assert procrustes(base, turned) == pytest.approx(0, abs=1e-7)
    units = unit_vectors(base)[0]
    assert rsa(units, units @ ortho_group.rvs(6, random_state=0)) == pytest.approx(1)
    found = measure_direction(pairs_of(units, {"turned": units @ ortho_group.rvs(6, random_state=0)}))
    assert found.mean("turned", "mean_shift") > 0.1  # it did move


def test_unrelated_clouds_have_no_unbiased_alignment_where_the_biased_one_has():
    rng = np.random.default_rng(0)
    clouds = [(rng.normal(size=(20, 50)), rng.normal(size=(20, 50))) for _ in range(200)]
    assert np.mean([unbiased_cka(*pair) for pair in clouds]) == pytest.approx(0, abs=0.02)
    assert np.mean([linear_cka(*pair) for pair in clouds]) > 0.6


def test_procrustes_and_rsa_equal_scipy():
    one, other = cloud(30, 5).astype(float), cloud(30, 5, seed=3).astype(float)
    _, _, disparity = scipy_procrustes(one, other)
    # SciPy scales one side to fit, which leaves 1 − s² of s, the sum of singular values.
    assert procrustes(one, other) == pytest.approx(math.sqrt(2 - 2 * math.sqrt(1 - disparity)))
    units = unit_vectors(one)[0], unit_vectors(other)[0]
    wanted = spearmanr(*(pdist(side, "cosine") for side in units)).statistic
    assert rsa(*units) == pytest.approx(wanted, abs=1e-9)


def test_few_pictures_align_by_chance_and_the_baseline_says_so():
    base = cloud(8, 64)
    found = means_of(
        measure_structure(pairs_of(base, {"other": cloud(8, 64, seed=9)}), permutations=50), "other"
    )
    assert found["procrustes"] == pytest.approx(found["procrustes_chance"], abs=0.12)
    assert found["procrustes_chance"] < 0.8  # far below √2, though nothing is alike
    assert abs(found["rsa_chance"]) < 0.15
    same = means_of(measure_structure(pairs_of(base, {"same": base}), permutations=50), "same")
    assert same["procrustes_chance"] > 0.1 > same["procrustes"]


def test_chance_has_a_range_of_permutations():
    base = cloud(30, 12)
    found = measure_structure(pairs_of(base, {"other": cloud(30, 12, seed=9)}))
    originals, views = unit_vectors(base)[0], unit_vectors(cloud(30, 12, seed=9))[0]
    rng = np.random.default_rng(0)
    orders = [rng.permutation(30) for _ in range(199)]
    for measure, by_chance in (("procrustes", procrustes), ("rsa", rsa)):
        values = sorted(by_chance(originals, views[order]) for order in orders)
        assert found.mean("other", f"{measure}_chance") == pytest.approx(np.mean(values))
        assert found.interval("other", f"{measure}_chance") == pytest.approx((values[4], values[194]))
    assert "chance: mean and 95 % range of 199 permutations of the views" in found.notes


def test_too_few_permutations_have_no_range():
    found = measure_structure(pairs_of(cloud(12), {"moved": moved(cloud(12))}), permutations=38)
    assert not math.isnan(found.mean("moved", "rsa_chance"))
    assert math.isnan(found.interval("moved", "rsa_chance")[0])


def test_what_depends_on_the_number_of_images_has_no_interval():
    base = cloud(24, 5)
    found = measure_structure(pairs_of(base, {"moved": moved(base)}))
    for name in ("linear_cka", "procrustes"):
        assert not math.isnan(found.mean("moved", name))
        assert all(map(math.isnan, found.interval("moved", name)))
    assert not math.isnan(found.interval("moved", "unbiased_cka")[0])
    assert any("linear_cka and procrustes have none" in note for note in found.notes)


def test_measures_of_all_images_have_intervals_of_a_jackknife():
    base = cloud(24, 5)
    views = moved(base, by=0.8)
    originals, shifted = unit_vectors(base)[0], unit_vectors(views)[0]
    functions = {
        "rsa": rsa,
        "explained_variance": lambda a, b: reference.explained_variance((b - a).tolist()),
        "consistency": lambda a, b: reference.mean(reference.consistency((b - a).tolist())),
    }
    pairs = pairs_of(base, {"moved": views})
    found = {"structure": measure_structure(pairs), "direction": measure_direction(pairs)}
    for name, function in functions.items():
        table = found["structure" if name == "rsa" else "direction"]
        wanted = reference.jackknife(function, originals, shifted, correlation=name == "rsa")
        bounds = next(one.bounds for one in table.measures if one.name == name)
        assert table.interval("moved", name) == pytest.approx(np.clip(wanted, *bounds).tolist(), rel=1e-6)


def test_correlations_keep_to_their_range_and_others_have_the_plain_ends():
    """An unbiased CKA may be 1 or more, where Fisher's scale ends."""
    values = np.random.default_rng(0).uniform(0.7, 1.0, size=20)

    def compute(kept):
        return np.array([values[kept].mean(), 1.5 * values[kept].mean(), 1.0])

    plain = jackknife(compute, images=20)[1]
    (low, over, one), (high, above, same) = jackknife(compute, images=20, correlations=True)[1]
    assert plain[0, 0] > low > -1
    assert plain[1, 0] > high
    assert high < 1
    assert [over, above] == plain[:, 1].tolist()
    assert one == same == 1.0


@pytest.mark.parametrize("images", [4, 9])
def test_few_images_have_no_interval(images):
    base = cloud(images)
    pairs = pairs_of(base, {"moved": moved(base)})
    for found in (measure_structure(pairs), measure_direction(pairs)):
        known = [
            one.name for at, one in enumerate(found.measures) if not np.isnan(found.estimates.low[0, at])
        ]
        assert all(name.endswith("_chance") for name in known)  # a range, not an interval over images


def test_many_images_are_left_out_in_groups():
    base = cloud(230, 5)
    views = moved(base, by=0.8)
    low, high = measure_direction(pairs_of(base, {"moved": views})).interval("moved", "explained_variance")
    shifts = unit_vectors(views)[0] - unit_vectors(base)[0]
    single = [explained_variance(np.delete(shifts, at, axis=0)) for at in range(230)]
    error = math.sqrt(229 / 230 * ((single - np.mean(single)) ** 2).sum())
    assert high - low == pytest.approx(2 * 2 * error, rel=0.35)


def test_structure_of_several_draws_is_the_mean_of_their_structures():
    base = cloud(12)
    draws = [moved(base, by=0.4, seed=seed) for seed in (1, 2, 3)]
    both = np.tile(np.arange(12), 3), np.repeat(np.arange(3), 12), np.concatenate(draws)
    found = means_of(measure_structure(pairs_of(base, {"moved": both}), permutations=2), "moved")
    units = [[reference.unit(row) for row in one] for one in (base, *draws)]
    wanted = [reference.cka(units[0], one) for one in units[1:]]
    assert found["linear_cka"] == pytest.approx(np.mean(wanted), rel=1e-6)
    lengths = [[reference.shift(a, b) for a, b in itertools.combinations(one, 2)] for one in units]
    order = [spearmanr(lengths[0], one).statistic for one in lengths[1:]]
    assert found["rsa"] == pytest.approx(np.mean(order), abs=1e-9)


def test_structure_needs_spread_and_pictures():
    flat = np.ones((6, 3))
    assert all(math.isnan(measure(flat, spread(6, 3))) for measure in (linear_cka, unbiased_cka, procrustes))
    assert math.isnan(rsa(unit_vectors(flat)[0], unit_vectors(cloud(6, 3))[0]))
    assert math.isnan(unbiased_cka(spread(3, 2), spread(3, 2)))
    assert not math.isnan(unbiased_cka(spread(4, 2), spread(4, 2)))
    assert math.isnan(rsa(*[unit_vectors(cloud(2, 2))[0]] * 2))


def test_rsa_beyond_its_pictures_is_over_a_seeded_sample(monkeypatch):
    monkeypatch.setattr("embshift.analysis.embeddings.structure.RSA_IMAGES", 25)
    base = cloud(60)
    pairs = pairs_of(base, {"moved": moved(base)})
    one, same, other = (measure_structure(pairs, permutations=1, seed=seed) for seed in (0, 0, 1))
    assert one.mean("moved", "rsa") == same.mean("moved", "rsa") != other.mean("moved", "rsa")
    assert one.estimates.n[0].tolist() == [60, 60, 60, 60, 25, 25]
    assert any("sample of 25" in note for note in one.notes)


def test_columns_are_those_stated():
    base = cloud(12)
    pairs = pairs_of(base, {"moved": moved(base)})
    assert retrieve(pairs).measures == RETRIEVAL
    assert measure_direction(pairs).measures == DIRECTION
    assert measure_structure(pairs).measures == STRUCTURE
    assert len(distance_scale(pairs.units).nearest) == 12
