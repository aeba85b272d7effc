"""Patches of networks that pool, held to hooks in real passes; padded and larger inputs."""

import json
from contextlib import ExitStack

import numpy as np
import pytest
import torch

from embshift.encoders.inside.full_patch import exchange_part
from embshift.encoders.inside.parts import find_parts
from embshift.encoders.inside.results import DIRECTIONS
from tests.unit.encoders.families import FAMILIES, make_checkpoint
from tests.unit.encoders.inside.cases import MOVED, Case, make_views, to_unit

PADDED = "siglip2, padded"
"""Views whose grid of 3 by 5 leaves one of the network's 16 places masked."""


@pytest.fixture(
    scope="module", params=[*sorted(name for name, kind in FAMILIES.items() if not kind.prefix), PADDED]
)
def case(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pooled") / "checkpoint"
    if request.param != PADDED:
        return Case(request.param, folder)
    made = Case("siglip2", folder, pixels=make_views(24, 40))
    assert made.seen.grid == (3, 5)
    assert (made.seen.inputs["pixel_attention_mask"].sum(dim=1) == 15).all()
    assert made.seen.inputs["pixel_attention_mask"].shape[1] == 16
    return made


def recover(case, patched, *, direction):
    """Return the recovered parts of embeddings, literally."""
    clean, views = to_unit(case.clean.embedding), to_unit(case.views.embedding)
    start, target = (views, clean) if direction == DIRECTIONS[0] else (clean, views)
    way = (target - start).expand(4, -1)
    return ((to_unit(patched) - start) * way).sum(dim=-1) / way.square().sum(dim=-1)


def order_passes(case, direction):
    ends = (case.views, case.clean)
    return ends if direction == DIRECTIONS[0] else ends[::-1]


def run_held(case, base, other, *, name):
    """Run the base pass with one part exchanged, and hold all that later parts write."""
    parts = find_parts(case.encoder.tower)
    inputs = {key: values.expand(4, *values.shape[1:]) for key, values in base.inputs.items()}
    kind, at, *head = name.split(".")
    first = int(at)
    with torch.no_grad(), ExitStack() as held:
        if kind == "head":
            each = int(head[0])
            held.enter_context(exchange_part(parts, name, other.heads[first][:, :, each]))
            held.enter_context(exchange_part(parts, f"mlp.{first}", base.inner[first]))
        else:
            held.enter_context(exchange_part(parts, name, other.inner[first]))
        for later in range(first + 1, len(parts.blocks)):
            for each in range(parts.heads):
                held.enter_context(
                    exchange_part(parts, f"head.{later}.{each}", base.heads[later][:, :, each])
                )
            held.enter_context(exchange_part(parts, f"mlp.{later}", base.inner[later]))
        return case.encoder.tower.embed(case.encoder.network, inputs)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", ["head.0.1", "mlp.0", "head.2.0"])
def test_a_direct_patch_is_a_path_patch_with_everything_later_held(case, name, direction):
    found = case.inside.patch_directly(case.clean, case.views, direction=direction)
    at = case.inside.patched.index(name)
    held = run_held(case, *order_passes(case, direction), name=name)
    literal = recover(case, held, direction=direction)
    assert torch.allclose(found.recovered[MOVED, at], literal[MOVED], atol=5e-6)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_direct_patch_of_the_last_inner_layers_is_the_full_one(case, direction):
    name = f"mlp.{case.inside.layers - 1}"
    direct = case.inside.patch_directly(case.clean, case.views, direction=direction)
    full = case.inside.patch_fully(case.clean, case.views, [name], direction=direction)
    at = case.inside.patched.index(name)
    for part in ("recovered", "closeness"):
        one, other = getattr(direct, part)[MOVED, at], getattr(full, part)[MOVED, 0]
        assert torch.allclose(one, other, atol=5e-6)


def test_the_original_s_stem_recovers_everything(case):
    """The stem is what the blocks start from: with the original's, the pass is the original's."""
    parts, (base, other) = find_parts(case.encoder.tower), order_passes(case, DIRECTIONS[0])
    inputs = {key: values.expand(4, *values.shape[1:]) for key, values in base.inputs.items()}

    def put_stem(_, given, options):
        states = (given[0] if given else options["hidden_states"]).clone()
        states[:, : other.stem.shape[1]] = other.stem
        return ((states, *given[1:]), options) if given else (given, options | {"hidden_states": states})

    with torch.no_grad(), ExitStack() as held:
        handle = parts.blocks[0].module.register_forward_pre_hook(put_stem, with_kwargs=True)
        held.callback(handle.remove)
        patched = case.encoder.tower.embed(case.encoder.network, inputs)
    assert torch.allclose(
        recover(case, patched, direction=DIRECTIONS[0])[MOVED], torch.ones(3).double(), atol=5e-6
    )


def test_an_unchanged_component_has_no_share(case):
    """Only the last block's inner layers differ: parts of the stream before them have share 0."""
    parts, name = find_parts(case.encoder.tower), f"mlp.{case.inside.layers - 1}"
    with exchange_part(parts, name, case.views.inner[-1][:1]):
        seen = case.inside.observe(case.pixels[:1].repeat(2, axis=0)).between(0, 1)
    shares = case.inside.compute_shares(case.clean, seen).share[0]
    still = [at for at, each in enumerate(case.inside.patched) if each != name]
    assert (shares[still] == 0).all()


def test_padding_changes_nothing_that_is_observed(case):
    """The grid's patches only are kept, and the shares still sum to 1."""
    count = case.seen.grid[0] * case.seen.grid[1]
    assert case.seen.final.shape[1] == count
    assert all(stream.shape[1] == count for stream in case.seen.streams)
    shares = case.inside.compute_shares(case.clean, case.views).share[MOVED]
    assert (shares.sum(dim=1) - 1).abs().max() < 1e-6
    found = case.inside.map_sources(case.clean, case.views, [None] * 4)[0]
    assert len(found.view) == count
    without = [at for at, name in enumerate(case.inside.components) if name == "pool_mlp"]
    placed = 1 - float(shares[0][without].sum())
    assert found.view.sum() - found.clean.sum() == pytest.approx(placed, abs=2e-6)


@pytest.mark.parametrize("family", ["dinov2", "dinov2-registers", "dinov3", "aimv2-headless"])
def test_positions_for_larger_images_are_followed(family, tmp_path):
    """The checkpoint has 4 by 4 positions; the views have 6 by 6 patches."""
    folder = make_checkpoint(family, tmp_path / family)
    stated = json.loads((folder / "preprocessor_config.json").read_text())
    larger = {"height": 48, "width": 48}
    stated |= {"crop_size": larger, "size": larger if "height" in stated["size"] else {"shortest_edge": 48}}
    (folder / "preprocessor_config.json").write_text(json.dumps(stated))
    case = Case(family, folder, pixels=make_views(48, 48))
    assert case.seen.grid == (6, 6)
    shares = case.inside.compute_shares(case.clean, case.views).share[MOVED]
    assert (shares.sum(dim=1) - 1).abs().max() < 1e-6
    profile = case.inside.compare_layers(case.clean, case.views, [None] * 4)
    assert np.isfinite(profile.cosine).all()
    if case.inside.readout == "class":
        followed = case.inside.patch_class_path(case.clean, case.views, direction=DIRECTIONS[0])
        last = [f"head.{case.inside.layers - 1}.{head}" for head in range(case.inside.heads)]
        full = case.inside.patch_fully(case.clean, case.views, last, direction=DIRECTIONS[0])
        columns = [case.inside.followed.index(name) for name in last]
        assert torch.allclose(followed.recovered[MOVED][:, columns], full.recovered[MOVED], atol=1e-6)
