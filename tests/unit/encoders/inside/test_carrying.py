"""Maps that are carried along a transform: mass is kept, whatever the coordinate map."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.core.pixel_maps import grid, make_empty_map
from embshift.core.types import Field
from embshift.encoders.inside.carrying import carry_map, find_overlap
from embshift.encoders.inside.layers import compare_attention

WHOLE = Field(0.0, 0.0, 32.0, 32.0)


def carry(values, places, *, cells=(4, 4), field=WHOLE):
    return carry_map(values.ravel(), find_overlap(places.astype(np.float32), grid=cells, field=field))


def test_what_stays_stays():
    values = np.random.default_rng(0).normal(size=16)
    carried, left = carry(values, grid(32, 32))
    assert np.allclose(carried, values)
    assert left == pytest.approx(0, abs=1e-12)


def test_a_flip_mirrors_the_map():
    values = np.random.default_rng(0).normal(size=(4, 4))
    carried, left = carry(values, grid(32, 32)[:, ::-1])
    assert np.allclose(carried.reshape(4, 4), values[:, ::-1])
    assert left == pytest.approx(0, abs=1e-12)


def test_a_shift_by_one_patch_drops_a_column():
    values = np.random.default_rng(0).normal(size=(4, 4))
    places = grid(32, 32).astype(np.float64)
    places[..., 0] += 8  # the view shows what was one patch further right
    carried, left = carry(values, places)
    assert np.allclose(carried.reshape(4, 4)[:, :3], values[:, 1:])
    assert np.allclose(carried.reshape(4, 4)[:, 3], 0)
    assert left == pytest.approx(values[:, 0].sum())


def test_half_a_patch_leaves_half_of_its_mass():
    values = np.ones((4, 4))
    places = grid(32, 32).astype(np.float64)
    places[..., 1] += 4
    carried, left = carry(values, places)
    assert left == pytest.approx(4 * 0.5)
    assert carried.sum() == pytest.approx(14)


def test_nothing_known_means_that_all_has_left():
    values = np.arange(16.0)
    carried, left = carry(values, make_empty_map(32, 32))
    assert (carried == 0).all()
    assert left == values.sum()


def test_only_the_field_counts():
    values = np.arange(1.0, 5.0)
    places = grid(32, 32).astype(np.float64)
    carried, left = carry(values, places, cells=(2, 2), field=Field(8.0, 8.0, 16.0, 16.0))
    assert np.allclose(carried, values)
    assert left == pytest.approx(0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    cells=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    hidden=st.floats(0, 1),
)
def test_mass_is_kept_for_any_map(seed, cells, hidden):
    rng = np.random.default_rng(seed)
    places = rng.uniform(-20, 60, (24, 30, 2))
    places[rng.random((24, 30)) < hidden] = np.nan
    values = rng.normal(size=cells)
    carried, left = carry(values, places, cells=cells, field=Field(2.0, 3.0, 20.0, 24.0))
    assert carried.sum() + left == pytest.approx(values.sum(), abs=1e-9)


def test_attention_that_moves_with_the_image_does_not_diverge():
    rng = np.random.default_rng(0)
    clean = rng.dirichlet(np.ones(16), size=(2, 3))
    views = clean.reshape(2, 3, 4, 4)[..., ::-1].reshape(1, 2, 3, 16)
    found = compare_attention(
        clean, views, [grid(32, 32)[:, ::-1].astype(np.float32)], grid=(4, 4), field=WHOLE
    )
    assert found.divergence.max() < 1e-12
    assert np.abs(found.entropy_change).max() < 1e-12
    assert (found.overlap == 1).all()
    unaligned = compare_attention(clean, views, [None], grid=(4, 4), field=WHOLE)
    assert unaligned.divergence.min() > 0.01


def test_divergence_is_that_of_its_definition():
    p, q = np.array([0.5, 0.25, 0.25, 0.0]), np.array([0.1, 0.1, 0.3, 0.5])
    found = compare_attention(
        p.reshape(1, 1, 4) * 0.7, q.reshape(1, 1, 1, 4) * 0.4, [None], grid=(2, 2), field=WHOLE
    )
    middle = (p + q) / 2

    def relative(one):
        return sum(a * np.log2(a / m) for a, m in zip(one, middle, strict=True) if a > 0)

    assert found.divergence.item() == pytest.approx((relative(p) + relative(q)) / 2)
    assert found.overlap.item() == 0  # {0} against {3}
