"""The matrix product of patches equals the convolution."""

import numpy as np
import pytest
import torch

from embshift.core.types import Capture
from embshift.encoders.open import open_encoder
from embshift.encoders.speed.patch_product import PatchProduct, multiply_patches
from tests.unit.encoders.families import FAMILIES, make_checkpoint

ALL = Capture.EMBEDDING | Capture.ATTENTION | Capture.LAYERS
PATCHED_ALREADY = "siglip2"  # NaFlex has a matrix product of its own


def products(network):
    return [module for module in network.modules() if isinstance(module, PatchProduct)]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_gives_the_same(family, tmp_path):
    source = str(make_checkpoint(family, tmp_path / family))
    plain, other = (open_encoder(source, device="cpu") for _ in range(2))
    multiply_patches(other.network)
    assert len(products(other.network)) == (0 if family == PATCHED_ALREADY else 1)
    views = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    wanted, found = (each.encode(views, capture=ALL) for each in (plain, other))
    torch.testing.assert_close(found.embedding, wanted.embedding, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.attention, wanted.attention, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
def test_the_remainder_is_dropped(bias):
    convolution = torch.nn.Conv2d(3, 5, kernel_size=(4, 3), stride=(4, 3), bias=bias)
    pixels = torch.randn(2, 3, 14, 11)
    torch.testing.assert_close(PatchProduct(convolution)(pixels), convolution(pixels))


@pytest.mark.parametrize(
    "options",
    [{"stride": 2}, {"stride": 4, "padding": 1}, {"stride": 4, "dilation": 2}, {"stride": 4, "groups": 3}],
)
def test_other_convolutions_stay(options):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 6, kernel_size=4, **options))
    multiply_patches(network)
    assert not products(network)
