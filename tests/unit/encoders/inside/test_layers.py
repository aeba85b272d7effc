"""Layers and heads compared between original and view, held to literal computations."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from embshift.core.types import Capture, Field
from embshift.encoders.inside.layers import compare_attention, compare_layers
from tests.unit.encoders.families import FAMILIES
from tests.unit.encoders.inside.cases import MOVED, Case

GRID, FIELD = (4, 4), Field(0.0, 0.0, 32.0, 32.0)


def make_identity():
    rows, columns = np.mgrid[0:32, 0:32].astype(np.float32)
    return np.stack([columns, rows], axis=-1)


FLIP = make_identity()[:, ::-1].copy()
RIGHT_HALF = make_identity() + np.float32([16, 0])


def make_rows(count, *, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(16, 0.5), (count, 2, 3))


def flip(rows):
    return rows.reshape(*rows.shape[:-1], 4, 4)[..., ::-1].reshape(rows.shape)


def test_divergence_and_entropy_are_those_of_scipy():
    views, clean = make_rows(2) * 0.7, make_rows(1, seed=1)[0] * 0.9  # class tokens hold the rest
    found = compare_attention(clean, views, [None, FLIP], grid=GRID, field=FIELD)
    for at, before in enumerate((clean, flip(clean))):
        for layer, head in np.ndindex(2, 3):
            literal = jensenshannon(before[layer, head], views[at, layer, head], base=2) ** 2
            assert found.divergence[at, layer, head] == pytest.approx(literal, abs=1e-12)
            change = entropy(views[at, layer, head], base=2) - entropy(before[layer, head], base=2)
            assert found.entropy_change[at, layer, head] == pytest.approx(change, abs=1e-12)


def test_the_same_attention_carried_along_does_not_diverge():
    clean = make_rows(1)[0]
    found = compare_attention(clean, flip(clean)[None], [FLIP], grid=GRID, field=FIELD)
    assert np.abs(found.divergence).max() < 1e-12
    assert np.abs(found.entropy_change).max() < 1e-12
    assert (found.overlap == 1).all()


def test_attention_to_other_patches_diverges_by_one_bit():
    clean, view = np.zeros((1, 1, 16)), np.zeros((1, 1, 1, 16))
    clean[..., :2], view[..., 5:9] = 0.5, 0.25
    found = compare_attention(clean, view, [None], grid=GRID, field=FIELD)
    assert found.divergence.item() == pytest.approx(1)
    assert found.entropy_change.item() == pytest.approx(1)
    assert found.overlap.item() == 0


def test_top_patches_hold_half_of_the_attention():
    clean, view = np.zeros((1, 1, 16)), np.zeros((1, 1, 1, 16))
    clean[..., :4] = [0.3, 0.3, 0.2, 0.2]  # the first two hold half
    view[..., :4] = [0.3, 0.2, 0.3, 0.2]  # the first and the third
    assert compare_attention(clean, view, [None], grid=GRID, field=FIELD).overlap.item() == pytest.approx(
        1 / 3
    )


def test_attention_that_left_the_view_gives_nan():
    clean = np.zeros((1, 1, 16))
    clean[..., 0] = 1.0  # on the left, which the view does not show
    view = np.full((1, 1, 1, 16), 1 / 16)
    found = compare_attention(clean, view, [RIGHT_HALF], grid=GRID, field=FIELD)
    assert np.isnan([found.divergence, found.entropy_change, found.overlap]).all()


def test_patches_that_moved_along_have_cosine_one():
    tokens = torch.randn(1, 17, 8, generator=torch.Generator().manual_seed(0))
    moved = tokens.clone()
    moved[:, 1:] = tokens[:, 1:].unflatten(1, (4, 4)).flip(2).flatten(1, 2)
    streams = ([tokens], [torch.cat([moved, moved])])
    found = compare_layers(*streams, [FLIP, None], prefix=1, grid=GRID, field=FIELD)
    assert found.patch_cosine[0, 0] == pytest.approx(1, abs=1e-6)
    assert found.patch_cosine[1, 0] < 0.5
    np.testing.assert_allclose(found.cosine, 1, atol=1e-6)


@pytest.mark.parametrize("family", [*sorted(FAMILIES), "lite"])
def test_layers_and_heads_of_every_network(family, tmp_path):
    case = Case(family, tmp_path / family)
    profile = case.inside.compare_layers(case.clean, case.views, [None] * 4)
    heads = case.inside.compare_attention(case.clean, case.views, [None] * 4)
    assert profile.cosine.shape == (4, case.inside.layers)
    assert profile.views.shape[:2] == (4, case.inside.layers)
    np.testing.assert_allclose(profile.cosine[3], 1, atol=1e-6)  # an unchanged view
    assert (profile.cosine[MOVED] < 1 - 1e-5).all()
    given = np.isfinite(profile.patch_cosine[0])
    assert given[:-1].all(), "only the last block may give no patches"
    np.testing.assert_allclose(profile.patch_cosine[3, given], 1, atol=1e-6)
    read = heads.divergence.shape[1]
    assert read == (1 if case.inside.readout in ("probe", "mean") else case.inside.layers)
    if case.inside.readout == "mean":  # which looks at no patch more than at another
        assert np.isnan([heads.divergence, heads.entropy_change, heads.overlap]).all()
        return
    assert np.abs(heads.divergence[3]).max() < 1e-9
    assert (heads.divergence[MOVED] > 0).all()


@pytest.mark.parametrize("family", sorted(name for name, kind in FAMILIES.items() if kind.prefix))
def test_heads_look_where_the_encoder_s_maps_say(family, tmp_path):
    """The attention that the comparison recomputes is the one that the network used."""
    case = Case(family, tmp_path / family)
    layers = case.encoder.encode(case.pixels, capture=Capture.EMBEDDING | Capture.LAYERS).layers
    rows = layers.double().numpy()
    literal = compare_attention(rows[0], rows[1:], [None] * 4, grid=case.views.grid, field=case.views.field)
    found = case.inside.compare_attention(case.clean, case.views, [None] * 4)
    np.testing.assert_allclose(found.divergence, literal.divergence, atol=1e-6)
    np.testing.assert_allclose(found.entropy_change, literal.entropy_change, atol=1e-5)
