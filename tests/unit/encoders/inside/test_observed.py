"""What is observed of a view is its own, to the last bit; maps have the parts that the network added up."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from embshift.core.types import Capture
from embshift.encoders.inside.class_shares import project_rows
from embshift.encoders.inside.norms import scale_rows
from embshift.encoders.inside.parts import find_parts
from tests.unit.encoders.families import FAMILIES
from tests.unit.encoders.inside.cases import Case, to_unit


@pytest.fixture(scope="module", params=[*sorted(FAMILIES), "lite"])
def case(request, tmp_path_factory):
    return Case(request.param, tmp_path_factory.mktemp("observed") / request.param)


def list_values(seen):
    """Return every tensor of what was observed that has one row a view."""
    found = [seen.embedding]
    for name in ("stem", "final", "attention", "layers", "tokens"):
        found.append(getattr(seen, name, None))
    for name in ("heads", "inner", "attended", "streams"):
        found += getattr(seen, name, ())
    return [values for values in found if values is not None]


@pytest.mark.parametrize("order", [[3, 1, 4, 0, 2], [2, 2, 0], [4, 3]])
def test_no_value_depends_on_neighbours(case, order):
    moved = case.inside.observe(case.pixels[order])
    for whole, part in zip(list_values(case.seen), list_values(moved), strict=True):
        # Some processors compute what is left over at the end of an array by other instructions.
        torch.testing.assert_close(whole[order], part, rtol=1e-5, atol=1e-6)


def test_a_part_of_the_views_is_cut_from_all(case):
    part = case.seen.between(1, 3)
    assert len(part) == 2
    for whole, cut in zip(list_values(case.seen), list_values(part), strict=True):
        assert torch.equal(whole[1:3], cut)


@contextmanager
def record_values(blocks):
    """Record what the value projections of blocks give in a real pass, in order."""
    found, handles = [], []
    for block in blocks:
        hook = block.attention.v_proj.register_forward_hook(lambda _, given, out: found.append(out))
        handles.append(hook)
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("family", sorted(name for name, kind in FAMILIES.items() if kind.prefix))
def test_a_map_has_each_patch_s_own_part(family, tmp_path):
    """Literally: the attention and the values that the network used, added up forwards, patch by patch."""
    case = Case(family, tmp_path / family)
    parts = find_parts(case.encoder.tower)
    with record_values(parts.blocks) as recorded:
        layers = case.encoder.encode(case.pixels, capture=Capture.EMBEDDING | Capture.LAYERS).layers.double()
    rows = torch.zeros(5, layers.shape[-1], case.clean.final.shape[-1], dtype=torch.float64)
    for at, block in enumerate(parts.blocks):
        values = recorded[at][:5, parts.prefix :].double().unflatten(-1, (parts.heads, -1))
        heard = (layers[:, at].transpose(1, 2)[..., None] * values).flatten(2)  # (views, patches, width)
        added = heard @ block.output.weight.double().T
        rows += added if block.scale is None else added * block.scale.double()
    unit, norm = to_unit(case.seen.embedding), case.seen.embedding.double().norm(dim=-1)
    _, sigma = scale_rows(parts.final_norm, case.seen.final[:, 0].double())
    vectors = project_rows(parts, scale_rows(parts.final_norm, rows)[0])
    found = case.inside.map_sources(case.clean, case.views, [None] * 4)
    for at in (1, 2, 3):
        delta, lengths = unit[at] - unit[0], (norm * sigma[:, 0])[[0, at]].sum()
        for part, view in ((found[at - 1].view, at), (found[at - 1].clean, 0)):
            literal = vectors[view] @ delta * 2 / (lengths * delta.square().sum())
            np.testing.assert_allclose(part, literal.numpy(), atol=1e-5 * float(literal.abs().max()))
