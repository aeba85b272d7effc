"""Aligned metrics: the unaligned value where nothing moved, and no effect of movement where it did."""

import numpy as np
import pytest
import torch

from embshift.core.encoding import Encoding
from embshift.core.pixel_maps import carry, grid, make_empty_map
from embshift.core.types import Field
from embshift.metrics import METRICS
from embshift.metrics.aligned_attention import attention_similarity_aligned
from embshift.metrics.attention import attention_similarity
from embshift.transforms.albumentations.geometry import make_affine_map
from tests.reference import aligned_reference

PIXELS = ("patch_similarity", "edge_similarity", "detail_similarity")


def picture(seed=0, side=64):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (side // 8, side // 8, 3))
    return np.clip(coarse.repeat(8, 0).repeat(8, 1) + rng.integers(-20, 20, (side, side, 3)), 0, 255).astype(
        np.uint8
    )


def shift(rows, columns, side=64):
    return make_affine_map(np.array([[1.0, 0, columns], [0, 1.0, rows]]), height=side, width=side)


def both(name, reference, views, ways):
    plain, aligned = METRICS[name], METRICS[f"{name}_aligned"]
    return plain.compute(reference, views), aligned.compute(reference, views, coordinates=ways)


@pytest.mark.parametrize("name", PIXELS)
def test_without_movement_it_is_the_unaligned_metric(name):
    views = np.stack([picture(1), picture(2)])
    plain, aligned = both(name, picture(), views, [None, None])
    np.testing.assert_allclose(aligned, plain, rtol=1e-15)
    plain, still = both(name, picture(), views, [grid(64, 64)] * 2)
    np.testing.assert_allclose(still, plain, rtol=1e-12)


@pytest.mark.parametrize("name", PIXELS)
def test_a_picture_that_only_moved_is_as_it_was(name):
    ways = [shift(5, -9), grid(64, 64)[:, ::-1].copy(), shift(20, 20)]
    views = np.stack([carry(picture(), way, fill=255) for way in ways])
    plain, aligned = both(name, picture(), views, ways)
    np.testing.assert_allclose(aligned, 1, atol=1e-12)
    assert (plain < 0.99).all()


@pytest.mark.parametrize("name", PIXELS)
def test_a_change_besides_the_movement_is_still_seen(name):
    way = shift(0, 16)
    moved = carry(picture(), way)
    changed = carry(picture(5), way)
    _, aligned = both(name, picture(), np.stack([moved, changed]), [way, way])
    assert aligned[0] > aligned[1] + 0.01


@pytest.mark.parametrize("name", PIXELS)
def test_pixels_that_show_nothing_of_the_original_do_not_count(name):
    way = shift(0, 16)
    black, noisy = carry(picture(), way), carry(picture(), way)
    noisy[:, -16:] = picture(9)[:, -16:]
    _, aligned = both(name, picture(), np.stack([black, noisy]), [way, way])
    assert aligned[0] == aligned[1]


@pytest.mark.parametrize("name", PIXELS)
def test_where_nothing_is_seen_it_is_undefined(name):
    _, aligned = both(name, picture(), picture(1)[None], [make_empty_map(64, 64)])
    assert np.isnan(aligned).all()


def hole(way, *, seed):
    """The map without what an irregular blot and single pixels show."""
    rng, found = np.random.default_rng(seed), way.copy()
    found[rng.random(way.shape[:2]) < 0.02] = np.nan
    found[10:23, 5:40] = np.nan
    return found


@pytest.mark.parametrize("name", PIXELS)
def test_it_is_the_definition_pixel_by_pixel(name):
    ways = [shift(3, -7, side=43), grid(43, 43)[:, ::-1].copy(), hole(shift(0, 5, side=43), seed=1)]
    views = np.stack([picture(seed, 48)[:43, :43] for seed in (1, 2, 3)])
    reference = picture(0, 48)[:43, :43]
    aligned = METRICS[f"{name}_aligned"].compute(reference, views, coordinates=ways)
    literal = getattr(aligned_reference, name)
    wanted = [literal(reference, view, way) for view, way in zip(views, ways, strict=True)]
    np.testing.assert_allclose(aligned, wanted, rtol=1e-9)


@pytest.mark.parametrize("name", PIXELS)
def test_by_hand_on_one_half(name):
    """Only the left half is seen; the value is what the unaligned metric gives for two mirrored halves."""
    way = grid(64, 64).copy()
    way[:, 32:] = np.nan
    reference, view = picture(), picture(1)
    _, aligned = both(name, reference, view[None], [way])
    doubled = [np.concatenate([each[:, :32], each[:, 31::-1]], axis=1) for each in (reference, view)]
    if name == "edge_similarity":
        doubled = [each[:, :31] for each in (reference, view)]  # differences beside the border are left out
        edges = [
            _edges(np.concatenate([each, full[:, 31:32]], axis=1))[:, :31]
            for each, full in zip(doubled, (reference, view))
        ]
        expected = 1 - np.abs(edges[0] / edges[0].max() - edges[1] / edges[1].max()).mean()
    else:
        # Mirrored, the right half has the same cells as the left.
        expected = METRICS[name].compute(doubled[0], doubled[1][None])[0]
    assert aligned[0] == pytest.approx(expected, rel=1e-9)


def _edges(pixels):
    gray = pixels.astype(float) @ [0.299, 0.587, 0.114]
    down, across = np.gradient(gray)
    return np.abs(down) + np.abs(across)


WHOLE = Field(0, 0, 64, 64)


def encoding(rows, *, grid_=(4, 4), field=WHOLE):
    attention = torch.as_tensor(np.array(rows), dtype=torch.float32)[:, None]
    return Encoding(embedding=attention[:, 0], grid=grid_, field=field, attention=attention)


def maps(views=2, seed=0):
    return np.random.default_rng(seed).random((views, 16))


def test_attention_that_follows_the_picture_is_as_it_was():
    before = maps().reshape(2, 4, 4)
    ways = [grid(64, 64)[:, ::-1], shift(0, 16)]
    moved = np.stack([before[0][:, ::-1], np.roll(before[1], -1, axis=1)])
    moved[1][:, -1] = 0.5
    reference, view = encoding(before.reshape(2, 16)), encoding(moved.reshape(2, 16))
    found = attention_similarity_aligned(reference, view, coordinates=ways)
    assert found[0] == pytest.approx(1, abs=1e-6)
    assert found[1] > 0.98  # interpolation pulls the column beside the border towards what came into view
    assert (attention_similarity(reference, view) < 0.95).all()


def test_attention_without_movement_is_the_unaligned_metric():
    reference, view = encoding(maps()), encoding(maps(seed=1))
    plain = attention_similarity(reference, view)
    assert torch.equal(attention_similarity_aligned(reference, view, coordinates=[None, None]), plain)
    assert torch.equal(attention_similarity_aligned(reference, view), plain)
    for field in (Field(0, 0, 64, 64), Field(8, 4, 48, 56)):
        one, other = encoding(maps(), field=field), encoding(maps(seed=1), field=field)
        still = attention_similarity_aligned(one, other, coordinates=[grid(64, 64)] * 2)
        torch.testing.assert_close(still, attention_similarity(one, other), rtol=1e-6, atol=1e-6)


def test_attention_is_compared_within_the_field_only():
    """Pixels that come from outside the field that the encoder saw have no map to compare with."""
    field = Field(16, 16, 32, 32)
    reference, view = encoding(maps(), field=field), encoding(maps(seed=1), field=field)
    out_of_field = shift(0, 40)
    found = attention_similarity_aligned(reference, view, coordinates=[out_of_field, shift(0, 8)])
    assert torch.isnan(found[0])
    assert 0.5 <= found[1] < 1


def test_attention_is_undefined_where_nothing_is_left_or_a_map_is_constant():
    reference, flat = encoding(maps()), encoding(np.ones((2, 16)))
    assert torch.isnan(
        attention_similarity_aligned(reference, reference, coordinates=[make_empty_map(64, 64)] * 2)
    ).all()
    assert torch.isnan(attention_similarity_aligned(reference, flat, coordinates=[shift(2, 2)] * 2)).all()
