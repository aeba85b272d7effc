"""Sums of parts, held to NumPy on all values."""

import numpy as np
import pytest

from embshift.analysis.parts.grids import (
    BINS,
    count_below,
    count_values,
    make_edges,
    read_quantiles,
    state_error,
)
from embshift.analysis.parts.groups import GROUPS, add_groups, sum_groups
from embshift.analysis.parts.kept import ENDS, choose_ends, keep_images, merge_kept
from embshift.analysis.parts.moments import measure_moments, merge_moments
from embshift.analysis.parts.products import (
    add_products,
    merge_sums,
    sum_products,
    sum_scores,
    sum_whole_images,
)
from embshift.runs.image_ids import hash_ids
from embshift.runs.values import ImageValues

SHARES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
GRIDS = ((-1.0, 1.0), (0.5, 1.0), (0.0, np.inf), (2.0, np.inf), (-np.inf, 3.0), (-np.inf, np.inf))


def draw(bounds, *, size, seed=0):
    rng = np.random.default_rng(seed)
    low, high = bounds
    if np.isfinite(low) and np.isfinite(high):
        return low + (high - low) * rng.beta(9, 2, size)
    if np.isfinite(low):
        return low + rng.gamma(2, size=size)
    return high - rng.gamma(2, size=size) if np.isfinite(high) else rng.normal(1, 3, size)


def split(values, seed=1):
    """Split rows into uneven parts, one of them empty."""
    ends = np.sort(np.random.default_rng(seed).integers(0, len(values), 4))
    return np.split(values, [*ends[:2], ends[1], *ends[2:]])


class TestGrids:
    @pytest.mark.parametrize("bounds", GRIDS)
    def test_edges_ascend_between_the_bounds(self, bounds):
        edges = make_edges(bounds)
        assert len(edges) == BINS + 1
        assert (np.diff(edges) > 0).all()
        assert edges[0] >= bounds[0]
        assert edges[-1] <= bounds[1]

    @pytest.mark.parametrize("bounds", GRIDS)
    @pytest.mark.parametrize("size", [1, 2, 7, 5_000])
    def test_quantiles_are_within_the_stated_error(self, bounds, size):
        values, edges = draw(bounds, size=size), make_edges(bounds)
        ends = (values.min(), values.max())
        found = read_quantiles(count_values(values, edges), SHARES, edges=edges, ends=ends)
        exact = np.quantile(values, SHARES)
        error, relative = state_error(bounds)
        anchor = next((bound for bound in bounds if np.isfinite(bound)), 0.0)
        # Between two values the size is at most that of the greater one.
        size_of = np.maximum(np.abs(np.quantile(values, SHARES, method="higher") - anchor), 0)
        size_of = np.maximum(size_of, np.abs(np.quantile(values, SHARES, method="lower") - anchor))
        most = error * size_of + 2.0**-20 if relative else error
        assert (np.abs(found - exact) <= most).all()
        assert (found[0], found[-1]) == ends

    def test_values_beyond_the_bounds_are_counted_at_the_ends(self):
        edges = make_edges((0.0, 1.0))
        counts = count_values(np.array([-0.5, 0.0, 0.5, 1.0, 1.0, 7.0]), edges)
        assert counts.sum() == 6
        assert (counts[0], counts[1], counts[-1]) == (1, 1, 3)

    def test_counts_below_places_are_those_of_the_values(self):
        values, edges = draw((-1.0, 1.0), size=20_000), make_edges((-1.0, 1.0))
        counts, ends = count_values(values, edges), (values.min(), values.max())
        places = np.linspace(values.min(), values.max(), 25)
        found = count_below(places, counts, edges=edges, ends=ends)
        exact = (values[:, None] < places).sum(axis=0)
        assert (np.abs(found - exact) <= counts.max()).all()
        assert (found[0], found[-1]) == (0, len(values))

    def test_no_values_have_no_quantiles(self):
        edges = make_edges((0.0, 1.0))
        counts = count_values(np.empty(0), edges)
        assert np.isnan(read_quantiles(counts, SHARES, edges=edges, ends=(np.inf, -np.inf))).all()
        assert count_below(np.zeros(2), counts, edges=edges, ends=(0.0, 1.0)).tolist() == [0, 0]


def test_merged_moments_are_those_of_all_values():
    rng = np.random.default_rng(5)
    values = 0.97 + 0.01 * rng.gamma(2, size=(3_000, 5))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:2_500, 3] = np.nan  # defined in the last parts only
    values[:, 4] = np.nan
    found = measure_moments(values[:0])
    for part in split(values):
        found = merge_moments(found, measure_moments(part))
    known = slice(0, 4)
    n = (~np.isnan(values)).sum(axis=0)
    apart = values - np.nanmean(values[:, known], axis=0).tolist().__add__([0.0])
    np.testing.assert_array_equal(found.n, n)
    np.testing.assert_allclose(found.known_mean[known], np.nanmean(values[:, known], axis=0), rtol=1e-13)
    np.testing.assert_allclose(
        found.deviation[known], np.nanstd(values[:, known], axis=0, ddof=1), rtol=1e-10
    )
    np.testing.assert_allclose(found.cubes[known], np.nansum(apart[:, known] ** 3, axis=0), rtol=1e-8)
    np.testing.assert_array_equal(found.low[known], np.nanmin(values[:, known], axis=0))
    np.testing.assert_array_equal(found.high[known], np.nanmax(values[:, known], axis=0))
    assert np.isnan(found.known_mean[4])
    assert np.isnan(found.deviation[4])


def literal_whole(values, sets):
    """Write out one image, set and pair of columns at a time what `WholeSums` holds."""
    held = [not np.isnan(column).all() for column in values.T]
    own = {one: [at for at in range(len(sets)) if sets[at] == one and held[at]] for one in set(sets)}
    whole = {one: [bool(own[one]) and not np.isnan(row[own[one]]).any() for row in values] for one in own}
    columns = range(len(sets))
    cross = [
        [
            sum(
                values[at, a] * values[at, b]
                for at in range(len(values))
                if held[a] and held[b] and whole[sets[a]][at] and whole[sets[b]][at]
            )
            for b in columns
        ]
        for a in columns
    ]
    return {one: sum(found) for one, found in whole.items()}, np.array(cross, float)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_added_products_are_those_of_all_values(missing):
    rng = np.random.default_rng(6)
    values = rng.normal(size=(300, 6))
    values[rng.random(values.shape) < missing] = np.nan
    parts = split(values)
    found = sum_products(parts[0])
    for part in parts[1:]:
        found = add_products(found, sum_products(part))
    held, known = np.nan_to_num(values), (~np.isnan(values)).astype(float)
    np.testing.assert_allclose(found.n, known.T @ known)
    np.testing.assert_allclose(found.sums, held.T @ known, atol=1e-12)
    np.testing.assert_allclose(found.cross, held.T @ held, atol=1e-12)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_merged_sums_over_whole_images_are_those_of_all(missing, late):
    rng, sets = np.random.default_rng(7), np.array([0, 1, 0, 1, 0, 1])
    values = rng.normal(size=(120, 6))
    values[rng.random(values.shape) < missing] = np.nan
    values[:, 5] = np.nan  # a column without values belongs to no set
    if late:
        values[:50, 2] = np.nan  # seen by later parts only
    found = None
    for part in split(values):
        own = sum_whole_images(part, sets=sets, products=sum_products(part))
        found = own if found is None else merge_sums(found, own)
    n, cross = literal_whole(values, sets)
    assert found.n.tolist() == [n[0], n[1]]
    assert found.held.tolist() == [True] * 5 + [False]
    np.testing.assert_allclose(found.cross, cross, atol=1e-12)
    scores = sum_scores(values[:, [1, 3]])
    assert scores.n.tolist() == [int((~np.isnan(values[:, [1, 3]])).all(axis=1).sum())]


def test_group_sums_add_up():
    rng = np.random.default_rng(8)
    values, hashes = rng.normal(size=(2_000, 3)), rng.integers(0, 2**63, 2_000).astype(np.uint64)
    values[::7, 1] = np.nan
    found = sum_groups(values[:0], hashes=hashes[:0])
    for one, own in zip(split(values), split(hashes), strict=True):
        found = add_groups(found, sum_groups(one, hashes=own))
    for group in (0, 17, GROUPS - 1):
        rows = values[hashes % GROUPS == group]
        np.testing.assert_allclose(found.sums[group], np.nansum(rows, axis=0), atol=1e-12)
        np.testing.assert_array_equal(found.n[group], (~np.isnan(rows)).sum(axis=0))


def test_hashes_are_even_for_uneven_ids():
    ids = np.array([f"{row:032x}" for row in range(50_000)], "S32")
    hashes = hash_ids(ids)
    assert len(np.unique(hashes)) == len(ids)
    counts = np.bincount((hashes % np.uint64(GROUPS)).astype(int), minlength=GROUPS)
    # χ² of an even spread: 1,023 with a deviation of 45.
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() == pytest.approx(GROUPS - 1, abs=5 * 45)


def table(values, first=0):
    return ImageValues(
        rows=np.arange(first, first + len(values)),
        transforms=("t0", "t1"),
        metrics=("m0", "m1"),
        values=values,
        recorded=np.ones(values.shape, bool),
        undefined=np.isnan(values).astype(np.int64),
    )


def test_kept_images_hold_the_ends_of_every_column_the_sample_and_those_asked_for(monkeypatch):
    monkeypatch.setattr("embshift.analysis.parts.kept.SAMPLE", 20)
    rng = np.random.default_rng(9)
    values, hashes = rng.normal(size=(600, 2, 2)), rng.integers(0, 2**63, 600).astype(np.uint64)
    values[5:, 1, 1] = np.nan
    found, wanted = None, [1, 300, 599]
    for start in range(0, 600, 100):
        part = slice(start, start + 100)
        last = 2**64 - 1 if found is None else found.last
        own = keep_images(table(values[part], start), hashes[part], wanted=wanted, last=last)
        found = own if found is None else merge_kept(found, own, wanted=wanted)
    least = set(np.argsort(hashes)[:20].tolist())
    expected = least | set(wanted) | {0, 1, 2, 3, 4}
    for column in values.reshape(600, 4)[:, :3].T:
        order = np.argsort(column)
        expected |= set(order[:ENDS].tolist()) | set(order[-ENDS:].tolist())
    assert found.values.rows.tolist() == sorted(expected)
    np.testing.assert_array_equal(found.values.values, values[found.values.rows])
    assert found.sample().rows.tolist() == sorted(least)


def test_few_images_are_all_ends():
    assert choose_ends(np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan]])).tolist() == [
        True,
        True,
        False,
    ]
