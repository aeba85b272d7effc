"""Attention similarity and map upsampling against a slow reference, golden values and hand-made cases."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.core.encoding import Encoding
from embshift.core.errors import EncoderError
from embshift.core.types import Field
from embshift.metrics.attention import attention_similarity
from embshift.metrics.upsampling import find_corners, make_upsampling_matrix, upsample_map
from tests.reference import metrics_reference

GOLDEN = Path(__file__).parents[2] / "golden"


def encoding(maps, *, grid, field):
    """Return an encoding that holds only maps, (views, patches) or (views, heads, patches)."""
    attention = torch.as_tensor(np.asarray(maps, dtype=np.float32))
    attention = attention[:, None] if attention.ndim == 2 else attention
    return Encoding(embedding=torch.zeros(len(attention), 1), grid=grid, field=field, attention=attention)


def similarity(before, after, *, grid, field):
    return attention_similarity(
        encoding(before, grid=grid, field=field), encoding(after, grid=grid, field=field)
    )


def slow_similarity(before, after, *, grid, height, width):
    drawn = [metrics_reference.attention_map(row, *grid, height, width) for row in (before, after)]
    return metrics_reference.attention_similarity(*drawn)


@pytest.mark.parametrize("case", range(3))
def test_golden_grids(case):
    golden = np.load(GOLDEN / "attention_grids.npz")
    rows, columns, height, width = golden[f"shape{case}"].tolist()
    row, shifted = golden[f"row{case}"], golden[f"shifted{case}"]
    drawn = upsample_map(row, grid=(rows, columns), height=height, width=width)
    np.testing.assert_allclose(drawn, golden[f"map{case}"], rtol=0, atol=1e-6)
    (value,) = similarity([row], [shifted], grid=(rows, columns), field=Field(0, 0, height, width))
    assert value.item() == pytest.approx(golden[f"similarity{case}"].item(), rel=1e-6)


def test_golden_maps():
    """Upsampled to its own size, a map that runs from 0 to 1 does not change."""
    golden = np.load(GOLDEN / "vectors_and_maps.npz")
    before, after = (golden[name].reshape(8, -1) for name in ("maps", "maps_shifted"))
    values = similarity(before, after, grid=(14, 14), field=Field(0, 0, 14, 14))
    np.testing.assert_allclose(values, golden["attention_similarity"], rtol=1e-6)


@st.composite
def drawn_cases(draw):
    grid = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    height, width = draw(st.tuples(st.integers(1, 15), st.integers(1, 15)))
    patch = st.floats(0, 1, width=16)
    maps = draw(
        st.lists(
            st.lists(patch, min_size=grid[0] * grid[1], max_size=grid[0] * grid[1]), min_size=2, max_size=2
        )
    )
    return grid, height, width, np.array(maps)


@settings(max_examples=200, deadline=None)
@given(case=drawn_cases())
def test_equals_the_slow_reference(case):
    grid, height, width, maps = case
    # In the slow reference, the pixels of a constant map differ by rounding; 1e-9 tells that from contrast.
    slow = [metrics_reference.attention_map(row - row.min(), *grid, height, width) for row in maps]
    for row, expected in zip(maps, slow, strict=True):
        drawn = upsample_map(row, grid=grid, height=height, width=width)
        np.testing.assert_allclose(drawn, expected, rtol=0, atol=1e-9)
    (value,) = similarity(maps[:1], maps[1:], grid=grid, field=Field(0, 0, height, width))
    expected = metrics_reference.attention_similarity(*slow)
    assert value.item() == pytest.approx(expected, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize(
    "field", [Field(0, 0, 224, 224), Field(16.2, 0, 191.6, 224), Field(3, 3, 218.4, 217.5)]
)
def test_the_field_in_whole_pixels_is_what_is_compared(field):
    grid = (7, 5)
    rng = np.random.default_rng(5)
    before, after = rng.dirichlet(np.ones(35), (2, 3))
    values = similarity(before, after, grid=grid, field=field)
    height, width = round(field.height), round(field.width)
    expected = [slow_similarity(*pair, grid=grid, height=height, width=width) for pair in zip(before, after)]
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_the_size_of_the_field_counts():
    before, after = np.random.default_rng(5).dirichlet(np.ones(35), (2, 3))
    whole = similarity(before, after, grid=(7, 5), field=Field(0, 0, 21, 15))
    crop = similarity(before, after, grid=(7, 5), field=Field(3, 2, 16, 11))
    assert ((whole - crop).abs() > 1e-6).all()


def test_heads_are_averaged_before_the_contrast_is_stretched():
    heads = np.random.default_rng(2).dirichlet(np.ones(12), (2, 4, 3))
    values = similarity(*heads, grid=(3, 4), field=Field(0, 0, 30, 40))
    means = heads.astype(np.float32).astype(float).mean(axis=2)
    expected = [slow_similarity(*pair, grid=(3, 4), height=30, width=40) for pair in zip(*means)]
    np.testing.assert_allclose(values, expected, rtol=1e-9)


@pytest.mark.parametrize("grid", [(14, 14), (7, 7), (3, 5), (1, 1)])
def test_a_constant_map_is_undefined(grid):
    """Without the subtraction, a constant map spreads by 1e-17, and min-max makes contrast of that."""
    rng, patches = np.random.default_rng(0), grid[0] * grid[1]
    levels = np.concatenate([[[0, 0, 0], [1 / 49] * 3], rng.random((40, 3))]).astype(np.float32)
    flat = levels[:, :, None].repeat(patches, axis=2)  # (views, heads, patches)
    other = rng.dirichlet(np.ones(patches), (len(flat), 3))
    assert similarity(flat, other, grid=grid, field=Field(0, 0, 223, 221)).isnan().all()
    assert similarity(other, flat, grid=grid, field=Field(0, 0, 223, 221)).isnan().all()
    for row in flat.astype(float).mean(axis=1):
        assert np.isnan(upsample_map(row, grid=grid, height=223, width=221)).all()


def test_rounding_does_not_leave_the_bounds():
    """Over two pixels every map is (0, 1) or (1, 0), so the value is one of the bounds."""
    before, after = np.random.default_rng(0).dirichlet(np.ones(15), (2, 2000))
    values = similarity(before, after, grid=(3, 5), field=Field(0, 0, 1, 2))
    assert set(values.numpy().round(12)) == {0.5, 1.0}
    assert ((values >= 0.5) & (values <= 1.0)).all()


def test_a_faint_map_is_stretched_like_a_strong_one():
    strong = np.random.default_rng(1).random((1, 49)).astype(np.float32)
    faint = 1 + strong * 2.0**-12
    (value,) = similarity(strong, faint, grid=(7, 7), field=Field(0, 0, 224, 224))
    assert value.item() == pytest.approx(1.0, abs=1e-6)


def test_a_map_that_is_not_finite_is_undefined():
    good = np.random.default_rng(1).random((2, 9))
    bad = good.copy()
    bad[0, 4], bad[1, 4] = np.nan, np.inf
    assert similarity(good, bad, grid=(3, 3), field=Field(0, 0, 30, 30)).isnan().all()


def test_missing_attention_raises():
    whole = encoding([[1.0, 2.0]], grid=(1, 2), field=Field(0, 0, 8, 8))
    bare = Encoding(embedding=whole.embedding, grid=whole.grid, field=whole.field)
    with pytest.raises(EncoderError, match=r"no attention; encode with capture=Capture\.ATTENTION"):
        attention_similarity(whole, bare)


def test_maps_of_different_fields_raise():
    whole = encoding([[1.0, 2.0]], grid=(1, 2), field=Field(0, 0, 8, 8))
    crop = encoding([[1.0, 2.0]], grid=(1, 2), field=Field(1, 1, 6, 6))
    with pytest.raises(EncoderError, match=r"encode both at one image size"):
        attention_similarity(whole, crop)


@settings(deadline=None)
@given(size=st.integers(1, 60), cells=st.integers(1, 20))
def test_interpolation_repeats_what_is_constant(size, cells):
    matrix = make_upsampling_matrix(size=size, cells=cells)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    assert (matrix >= 0).all()
    assert ((matrix > 0).sum(axis=1) <= 2).all()


@settings(deadline=None)
@given(data=st.data(), size=st.integers(1, 60), cells=st.integers(1, 20))
def test_corners_hold_the_extremes(data, size, cells):
    line = np.array(data.draw(st.lists(st.floats(0, 1, width=16), min_size=cells, max_size=cells)))
    drawn = make_upsampling_matrix(size=size, cells=cells) @ line
    kept = drawn[find_corners(size=size, cells=cells)]
    assert len(kept) <= 2 * cells
    assert kept.min() == pytest.approx(drawn.min(), abs=1e-12)
    assert kept.max() == pytest.approx(drawn.max(), abs=1e-12)
