"""Shares, patches and maps of every family of networks, held to what they are defined by."""

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torch

from embshift.core.errors import EncoderError
from embshift.core.types import Capture
from embshift.encoders.inside import open_inside
from embshift.encoders.inside.class_shares import build_differences
from embshift.encoders.inside.full_patch import exchange_part
from embshift.encoders.inside.observed import record_parts
from embshift.encoders.inside.parts import find_parts
from embshift.encoders.inside.results import DIRECTIONS, ROUNDING
from embshift.encoders.open import open_encoder
from tests.unit.encoders.families import FAMILIES
from tests.unit.encoders.inside.cases import MOVED, Case, to_unit

CLASS = [name for name, kind in FAMILIES.items() if kind.prefix]
POOLED = [name for name, kind in FAMILIES.items() if not kind.prefix]


@pytest.fixture(scope="module", params=[*sorted(FAMILIES), "lite"])
def case(request, tmp_path_factory):
    return Case(request.param, tmp_path_factory.mktemp("checkpoint") / request.param)


@pytest.fixture(scope="module", params=sorted(CLASS))
def class_case(request, tmp_path_factory):
    return Case(request.param, tmp_path_factory.mktemp("class") / request.param)


def shift_of(case):
    return to_unit(case.views.embedding) - to_unit(case.clean.embedding)


def test_observing_changes_no_embedding(case):
    plain = case.encoder.encode(case.pixels, capture=Capture.EMBEDDING).embedding
    assert torch.equal(case.seen.embedding, plain)
    again = case.encoder.encode(case.pixels, capture=Capture.EMBEDDING).embedding
    assert torch.equal(again, plain), "a hook was left behind"


def test_components_sum_to_the_final_stream(class_case):
    parts = find_parts(class_case.encoder.tower)
    differences = build_differences(parts, class_case.clean, class_case.views)[MOVED]
    stream = (class_case.views.final - class_case.clean.final)[MOVED, 0].double()
    assert (differences.sum(dim=1) - stream).norm() / stream.norm() < 1e-6


def test_shares_sum_to_one_and_are_those_of_the_vectors(case):
    shares = case.inside.compute_shares(case.clean, case.views)
    assert shares.share.shape == (4, len(case.inside.components))
    assert (shares.share[MOVED].sum(dim=1) - 1).abs().max() < 1e-6
    delta = shift_of(case)[MOVED]
    assert torch.allclose(shares.shift[MOVED], delta.norm(dim=-1), atol=1e-12)
    vectors = case.inside.compute_contributions(case.clean, case.views)[MOVED]
    literal = torch.einsum("ncd,nd->nc", vectors, delta) / delta.square().sum(dim=-1, keepdim=True)
    assert torch.allclose(shares.share[MOVED], literal, atol=1e-7)
    # What the vectors leave out is orthogonal to the shift.
    rest = delta - vectors.sum(dim=1)
    assert ((rest * delta).sum(dim=-1) / delta.square().sum(dim=-1)).abs().max() < 1e-6


def test_exchanging_original_and_view_changes_no_share(case):
    there = case.inside.compute_shares(case.clean, case.views.between(1, 2))
    back = case.inside.compute_shares(case.views.between(1, 2), case.clean)
    assert torch.allclose(there.share, back.share, atol=1e-12)
    assert torch.allclose(there.length_ratio * back.length_ratio, torch.ones(1, dtype=torch.float64))


def test_a_view_without_a_shift_has_no_shares(case):
    shares = case.inside.compute_shares(case.clean, case.views)
    assert shares.shift[3] <= ROUNDING
    assert shares.share[3].isnan().all()
    for direction in DIRECTIONS:
        assert (
            case.inside.patch_directly(case.clean, case.views, direction=direction).recovered[3].isnan().all()
        )
    assert np.isnan(case.inside.map_sources(case.clean, case.views, [None] * 4)[3].view).all()


def test_rows_do_not_depend_on_their_neighbours(case):
    alone = case.inside.observe(case.pixels[[0, 2]])
    one = case.inside.compute_shares(alone.between(0, 1), alone.between(1, 2))
    many = case.inside.compute_shares(case.clean, case.views)
    assert torch.allclose(one.share[0], many.share[1], atol=1e-5)
    assert abs(float(one.shift[0] - many.shift[1])) < 1e-6


def test_maps_sum_to_what_has_a_place(case):
    shares = case.inside.compute_shares(case.clean, case.views).share
    found = case.inside.map_sources(case.clean, case.views, [None] * 4)[0]
    placed = found.view.sum() - found.clean.sum()
    assert found.not_placed == pytest.approx(1 - placed, abs=1e-12)
    if case.inside.readout != "class":
        without = [at for at, name in enumerate(case.inside.components) if name == "pool_mlp"]
        assert placed == pytest.approx(1 - float(shares[0][without].sum()), abs=2e-6)


def test_sources_sum_to_the_heads_shares(class_case):
    from embshift.encoders.inside.sources import map_class_sources

    parts = find_parts(class_case.encoder.tower)
    view, clean = map_class_sources(parts, class_case.clean, class_case.views)
    shares = class_case.inside.compute_shares(class_case.clean, class_case.views).share
    heads = [at for at, name in enumerate(class_case.inside.components) if name.startswith("head.")]
    assert torch.allclose((view - clean)[MOVED].sum(dim=1), shares[MOVED][:, heads].sum(dim=1), atol=2e-6)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_class_path_is_the_full_patch_in_the_last_block(class_case, direction):
    inside = class_case.inside
    followed = inside.patch_class_path(class_case.clean, class_case.views, direction=direction)
    full = inside.patch_fully(class_case.clean, class_case.views, inside.followed, direction=direction)
    last = [at for at, name in enumerate(inside.followed) if name.split(".")[1] == str(inside.layers - 1)]
    assert torch.allclose(followed.recovered[MOVED][:, last], full.recovered[MOVED][:, last], atol=1e-6)
    assert torch.allclose(followed.closeness[MOVED][:, last], full.closeness[MOVED][:, last], atol=1e-6)
    pairs = torch.stack([followed.recovered[MOVED].flatten(), full.recovered[MOVED].flatten()])
    assert torch.corrcoef(pairs)[0, 1] > 0.99


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_direct_patch_is_a_path_patch_with_everything_later_held(class_case, direction):
    inside, parts = class_case.inside, find_parts(class_case.encoder.tower)
    base, other = (
        (class_case.views, class_case.clean)
        if direction == DIRECTIONS[0]
        else (class_case.clean, class_case.views)
    )
    found = inside.patch_directly(class_case.clean, class_case.views, direction=direction)
    at = inside.patched.index("head.0.1")
    patched = hold_later(class_case, parts, base, other, name="head.0.1")
    start, target, end = (to_unit(one) for one in (base.embedding, other.embedding, patched))
    way = (target - start).expand(4, -1)[MOVED]
    literal = ((end - start)[MOVED] * way).sum(dim=-1) / way.square().sum(dim=-1)
    assert torch.allclose(found.recovered[MOVED, at], literal, atol=2e-6)


def hold_later(case, parts, base, other, *, name):
    """Run the base pass with one head exchanged and all that is written later held at the base's values."""
    count = len(case.views)
    inputs = {key: values.expand(count, *values.shape[1:]) for key, values in base.inputs.items()}
    _, layer, head = name.split(".")
    with torch.no_grad(), ExitStack() as held:
        held.enter_context(exchange_part(parts, name, other.heads[int(layer)][:, :, int(head)]))
        for at in range(int(layer), len(parts.blocks)):
            for each in range(parts.heads if at > int(layer) else 0):
                held.enter_context(exchange_part(parts, f"head.{at}.{each}", base.heads[at][:, :, each]))
            held.enter_context(exchange_part(parts, f"mlp.{at}", base.inner[at]))
        return case.encoder.tower.embed(case.encoder.network, inputs).double()


def test_an_unchanged_component_has_no_share(class_case):
    parts = find_parts(class_case.encoder.tower)
    last = class_case.inside.layers - 1
    name = f"head.{last}.1"
    swapped = class_case.views.heads[last][:1, :, 1]
    with exchange_part(parts, name, swapped):
        changed = class_case.inside.observe(class_case.pixels[:1].repeat(2, axis=0)).between(0, 1)
    shares = class_case.inside.compute_shares(class_case.clean, changed).share[0]
    still = [
        at
        for at, each in enumerate(class_case.inside.components)
        if each not in (name, f"mlp.{last}", "bias")
    ]
    assert (shares[still] == 0).all()
    assert shares.sum() == pytest.approx(1, abs=1e-5)


def test_a_constant_added_to_the_class_row_changes_no_share(class_case):
    shares = class_case.inside.compute_shares(class_case.clean, class_case.views).share[MOVED]

    def add(seen):
        return replace(seen, stem=seen.stem + 3.0)

    moved = class_case.inside.compute_shares(add(class_case.clean), add(class_case.views)).share[MOVED]
    assert torch.allclose(shares, moved, atol=1e-5)


def test_hooks_are_removed_even_if_the_pass_fails(class_case):
    parts = find_parts(class_case.encoder.tower)
    with pytest.raises(ZeroDivisionError), record_parts(parts) as found:
        raise ZeroDivisionError
    class_case.encoder.encode(class_case.pixels, capture=Capture.EMBEDDING)
    assert not found.stem


@pytest.mark.parametrize("options", [{"precision": "bfloat16"}, {"precision": "float16"}])
def test_low_precision_is_refused(options):
    encoder = open_encoder("lite", device="cpu", **options)
    with pytest.raises(EncoderError, match="in float32 by torch only"):
        open_inside(encoder)


def test_what_lite_and_pooled_networks_lack_is_said(case):
    if case.inside.readout == "class":
        return
    with pytest.raises(EncoderError, match="class token"):
        case.inside.patch_class_path(case.clean, case.views, direction=DIRECTIONS[0])
    if case.family == "lite":
        with pytest.raises(EncoderError, match="direct patches are the full ones"):
            case.inside.patch_fully(case.clean, case.views, ["what"], direction=DIRECTIONS[0])


def test_a_planted_head_has_the_largest_effect(class_case):
    """The view is the original, with one head's part of another image."""
    parts, inside = find_parts(class_case.encoder.tower), class_case.inside
    for name in ("head.0.1", f"head.{inside.layers - 1}.0", "head.1.1"):
        _, layer, head = name.split(".")
        values = class_case.views.heads[int(layer)][2:3, :, int(head)]
        with exchange_part(parts, name, values):
            changed = inside.observe(class_case.pixels[:1].repeat(2, axis=0)).between(0, 1)
        full = inside.patch_fully(class_case.clean, changed, inside.followed, direction=DIRECTIONS[1])
        path = inside.patch_class_path(class_case.clean, changed, direction=DIRECTIONS[1])
        heads = [at for at, each in enumerate(inside.followed) if each.startswith("head.")]
        for found in (full, path):
            best = heads[int(found.recovered[0][heads].argmax())]
            assert inside.followed[best] == name
