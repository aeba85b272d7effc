"""Maps carried along a transform keep their mass, and only what leaves the view is said to leave it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.core.types import Field
from embshift.encoders.inside.carrying import carry_map, find_overlap

GRIDS = st.tuples(st.integers(1, 5), st.integers(1, 5))


def make_identity(height, width):
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([columns, rows], axis=-1)


def cover(height, width):
    return Field(0.0, 0.0, float(height), float(width))


def shrink(side, scale, *, turn=0.0):
    """Return the map of a view that shows the whole image smaller, turned about its centre."""
    centre = (side - 1) / 2
    cosine, sine = np.cos(turn), np.sin(turn)
    moved = (make_identity(side, side) - centre) / scale
    turned = np.stack(
        [cosine * moved[..., 0] - sine * moved[..., 1], sine * moved[..., 0] + cosine * moved[..., 1]], -1
    )
    return (turned + centre).astype(np.float32)


@given(
    grid=GRIDS,
    sides=st.tuples(st.integers(5, 24), st.integers(5, 24)),
    inset=st.integers(0, 2),
    seed=st.integers(0, 2**16),
)
@settings(deadline=None, max_examples=60)
def test_any_map_keeps_the_mass(grid, sides, inset, seed):
    rng = np.random.default_rng(seed)
    places = rng.uniform(-4, 28, (*sides, 2)).astype(np.float32)
    places[rng.random(sides) < 0.2] = np.nan
    field = Field(float(inset), float(inset), float(sides[0] - 2 * inset), float(sides[1] - 2 * inset))
    values = rng.normal(size=grid[0] * grid[1])
    carried, left = carry_map(values, find_overlap(places, grid=grid, field=field))
    assert np.isfinite(carried).all()
    assert carried.sum() + left == pytest.approx(values.sum(), abs=1e-9)


@pytest.mark.parametrize(("side", "grid"), [(224, 16), (224, 24), (64, 24), (36, 16), (50, 7)])
def test_a_map_that_moves_nothing_moves_nothing(side, grid):
    values = np.random.default_rng(0).normal(size=grid * grid)
    overlap = find_overlap(make_identity(side, side), grid=(grid, grid), field=cover(side, side))
    carried, left = carry_map(values, overlap)
    np.testing.assert_allclose(carried, values, atol=1e-12)
    assert left == pytest.approx(0, abs=1e-12)


def test_a_flip_flips_the_map():
    values = np.random.default_rng(0).normal(size=(4, 6))
    places = make_identity(32, 48)[:, ::-1]
    carried, left = carry_map(values.ravel(), find_overlap(places, grid=(4, 6), field=cover(32, 48)))
    np.testing.assert_allclose(carried.reshape(4, 6), values[:, ::-1], atol=1e-12)
    assert left == 0


@pytest.mark.parametrize("turn", [0.0, 0.3, np.pi / 4])
@pytest.mark.parametrize("scale", [0.6, 0.4, 0.25])
@pytest.mark.parametrize("grid", [7, 16, 24])
def test_a_smaller_image_that_is_wholly_seen_leaves_nothing(grid, scale, turn):
    overlap = find_overlap(shrink(224, scale, turn=turn), grid=(grid, grid), field=cover(224, 224))
    assert overlap.visible.min() == 1


def test_half_an_image_leaves_half():
    places = make_identity(32, 32) + np.float32([16, 0])  # the view shows the right half, at its left
    carried, left = carry_map(np.ones(16), find_overlap(places, grid=(4, 4), field=cover(32, 32)))
    np.testing.assert_allclose(carried.reshape(4, 4), np.tile([1.0, 1.0, 0.0, 0.0], (4, 1)))
    assert left == 8


def test_a_covered_patch_leaves():
    places = make_identity(32, 32)
    places[8:16, 16:24] = np.nan
    carried, left = carry_map(np.arange(16.0), find_overlap(places, grid=(4, 4), field=cover(32, 32)))
    assert left == 6
    assert carried[6] == 0
    np.testing.assert_allclose(np.delete(carried, 6), np.delete(np.arange(16.0), 6))


def test_what_a_crop_hides_is_no_part_of_the_map():
    field = Field(4.0, 4.0, 24.0, 24.0)
    carried, left = carry_map(np.arange(9.0), find_overlap(make_identity(32, 32), grid=(3, 3), field=field))
    np.testing.assert_allclose(carried, np.arange(9.0))
    assert left == 0
