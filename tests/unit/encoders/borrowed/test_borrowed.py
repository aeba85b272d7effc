"""Networks of other libraries, with stand-ins for the libraries: shapes, maps and what is said of errors."""

import importlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from embshift.core.errors import EncoderError, MissingExtraError, UnknownNameError, WeightsError
from embshift.core.types import Capture
from embshift.encoders.borrowed.encoder import BorrowedEncoder, Network, PatchMap
from embshift.encoders.borrowed.maps import find_trunk_map, make_class_head
from embshift.encoders.borrowed.preparation import make_preparation
from embshift.encoders.borrowed.source import find_local, import_library, read_source
from embshift.encoders.maps.pooling import record_pooling
from embshift.encoders.open import find_entry, find_trust, open_encoder
from embshift.encoders.towers.tower import check_finite

VIEWS = np.random.default_rng(3).integers(0, 256, (5, 40, 60, 3), dtype=np.uint8)


class Resize:
    def __init__(self, height, width):
        self.sides = (width, height)

    def __call__(self, image):
        return image.resize(self.sides)


class CenterCrop:
    def __init__(self, height, width):
        self.height, self.width = height, width

    def __call__(self, image):
        left, top = round((image.width - self.width) / 2), round((image.height - self.height) / 2)
        return image.crop((left, top, left + self.width, top + self.height))


def to_tensor(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def prepared(*steps):
    return make_preparation((*steps, to_tensor), settings={"size": (32, 32)})


def test_settings_are_as_they_are_read_back():
    assert prepared().settings == {"size": [32, 32]}


@pytest.mark.parametrize(
    ("steps", "field"),
    [
        ((), (0, 0, 40, 60)),
        ((Resize(32, 32),), (0, 0, 40, 60)),
        ((Resize(32, 48), CenterCrop(32, 32)), (0, 10, 40, 40)),
        ((Resize(80, 120), CenterCrop(32, 32)), (12, 22, 16, 16)),
        ((CenterCrop(32, 32),), (4, 14, 32, 32)),
    ],
)
def test_the_part_that_is_seen_follows_the_steps(steps, field):
    preparation = prepared(*steps)
    crop = preparation.frame(40, 60).crop
    assert preparation.compute_field(40, 60, seen=crop) == pytest.approx(field)


def test_pixels_of_the_field_are_those_of_the_crop():
    """What lies outside the field does not reach the input."""
    preparation = prepared(Resize(80, 120), CenterCrop(32, 32))
    top, left, height, width = map(round, preparation.compute_field(40, 60, seen=(32, 32)))
    painted = np.full((1, 40, 60, 3), 255, np.uint8)
    painted[:, top : top + height, left : left + width] = 0
    assert preparation.prepare(painted).mean() < 0.1
    assert preparation.prepare(np.roll(painted, 8, axis=2)).mean() > 0.2


@pytest.mark.parametrize(
    "steps", [(CenterCrop(64, 64),), (CenterCrop(32, 32), Resize(8, 8), CenterCrop(4, 4))]
)
def test_padding_and_other_shapes_have_no_field(steps):
    preparation = prepared(*steps)
    assert preparation.frame(40, 60) is None
    with pytest.raises(EncoderError, match=r"pads images of 40 by 60 pixels.*use square images"):
        preparation.compute_field(40, 60, seen=(32, 32))


@pytest.mark.parametrize("batch_first", [True, False])
def test_the_class_row_is_that_of_eager_attention(batch_first):
    torch.manual_seed(0)
    attention = torch.nn.MultiheadAttention(24, 3, batch_first=batch_first).eval()
    tokens = torch.randn(2, 5, 24)
    given = tokens if batch_first else tokens.transpose(0, 1)
    with torch.no_grad(), record_pooling(make_class_head(attention)) as rows:
        attention(given, given, given, need_weights=False, attn_mask=None)
    weight, bias = attention.in_proj_weight.double(), attention.in_proj_bias.double()
    query, key, _ = (tokens.double() @ weight.T + bias).view(2, 5, 3, 3, 8).permute(2, 0, 3, 1, 4)
    wanted = (query @ key.transpose(-1, -2) / 8**0.5).softmax(-1)[:, :, 0, 1:]
    torch.testing.assert_close(rows[0].double(), wanted, rtol=0, atol=1e-6)


class Small(torch.nn.Module):
    """Cuts 32 by 32 pixels into 2 by 2 patches, and attends from a class token."""

    def __init__(self, patches=4):
        super().__init__()
        torch.manual_seed(1)
        self.cut = torch.nn.Conv2d(3, 12, 16, 16)
        self.token = torch.nn.Parameter(torch.randn(1, 1, 12))
        self.attn = torch.nn.MultiheadAttention(12, 2, batch_first=True)
        self.patches = patches

    def forward(self, inputs):
        patches = self.cut(inputs).flatten(2).transpose(1, 2)[:, : self.patches]
        tokens = torch.cat([self.token.expand(len(inputs), -1, -1), patches], 1)
        return self.attn(tokens, tokens, tokens, need_weights=False)[0][:, 0]


def opened(network=None, *steps, embed=None, mapped=True):
    module = check_finite(network or Small())
    found = PatchMap(head=make_class_head(module.attn), source="a source", grid=(2, 2)) if mapped else None
    return BorrowedEncoder(
        source="timm:small",
        family="timm",
        network=Network(
            module=module, embed=embed or module, embedding="pooled", map=found, digest="d", config="c"
        ),
        preparation=prepared(*steps or (Resize(32, 32),)),
        device="cpu",
    )


def test_embeddings_are_those_of_the_network_s_own_call():
    encoder = opened()
    inputs = torch.stack([to_tensor(Image.fromarray(view).resize((32, 32))) for view in VIEWS])
    with torch.no_grad():
        wanted = Small().eval()(inputs)
    both = encoder.encode(VIEWS, capture=Capture.EMBEDDING | Capture.ATTENTION)
    torch.testing.assert_close(both.embedding, wanted, rtol=0, atol=1e-6)
    assert (encoder.spec.dim, encoder.spec.heads, encoder.spec.map_name) == (12, 2, "attention map")
    assert (both.attention.shape, both.grid, both.field) == ((5, 2, 4), (2, 2), (0, 0, 40, 60))
    alone = encoder.encode(VIEWS, capture=Capture.EMBEDDING)
    assert torch.equal(alone.embedding, both.embedding)
    assert alone.attention is None


def test_neighbours_in_a_batch_change_nothing():
    encoder = opened()
    wanted = encoder.encode(VIEWS, capture=Capture.EMBEDDING | Capture.ATTENTION)
    turned = encoder.encode(VIEWS[::-1].copy(), capture=Capture.EMBEDDING | Capture.ATTENTION)
    assert torch.equal(wanted.embedding, turned.embedding.flip(0))
    assert torch.equal(wanted.attention, turned.attention.flip(0))


def test_a_row_that_does_not_fill_the_grid_is_no_map():
    encoder = opened(Small(patches=3))
    assert (encoder.spec.map_name, encoder.spec.heads) == ("", 0)
    assert encoder.encode(VIEWS, capture=Capture.ATTENTION).attention is None


def test_padded_images_have_an_embedding_and_no_map():
    encoder = opened(None, Resize(32, 16), CenterCrop(32, 32), mapped=False)
    assert encoder.encode(VIEWS, capture=Capture.ATTENTION).embedding.shape == (5, 12)
    mapped = opened(None, Resize(32, 16), CenterCrop(32, 32))
    with pytest.raises(EncoderError, match="use square images, or metrics that need no map"):
        mapped.encode(VIEWS, capture=Capture.ATTENTION)


def test_features_that_are_not_pooled_are_refused():
    with pytest.raises(EncoderError, match=r"'timm:small' gives \(1, 12, 2, 2\) for 1 images"):
        opened(embed=Small().cut, mapped=False)


def test_weights_that_are_not_finite_are_refused():
    network = Small()
    torch.nn.init.constant_(network.token, float("nan"))
    with pytest.raises(WeightsError, match="not finite numbers: token"):
        check_finite(network)


def test_unknown_networks_have_no_map():
    assert find_trunk_map(SimpleNamespace()) is None
    patched = {"patch_embed": SimpleNamespace(grid_size=(2, 2)), "num_prefix_tokens": 1}
    assert find_trunk_map(SimpleNamespace(**patched, global_pool="avg")) is None
    assert find_trunk_map(SimpleNamespace(**patched, global_pool="token", blocks=[Small()])) is None


def test_a_source_is_taken_apart():
    known = ["ViT-B-32", "ViT-L-14"]
    found = read_source("open_clip:ViT-B-32//tmp/a b.pt", known=known, kind="network")
    assert (found.name, found.weights) == ("ViT-B-32", "/tmp/a b.pt")
    assert read_source("open_clip:ViT-B-32", known=known, kind="network").weights == ""
    with pytest.raises(UnknownNameError, match="unknown network 'ViT-B-3'; did you mean 'ViT-B-32'"):
        read_source("open_clip:ViT-B-3/a.pt", known=known, kind="network")


def test_a_local_file_is_found_or_explained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.pt").touch()
    (tmp_path / "weights.npz").touch()

    def find(weights):
        return find_local(read_source(f"timm:small/{weights}", known=["small"], kind="network"))

    assert find("weights.pt").samefile(tmp_path / "weights.pt")
    assert find(f"{tmp_path}/weights.pt") == tmp_path / "weights.pt"
    for weights, told in [
        ("other.pt", r"'other\.pt' in 'timm:small/other\.pt' is no file; expected a file that ends in"),
        (".", "is a folder; expected"),
        ("weights.npz", r"weights\.npz' is not a weight file"),
        (f"{tmp_path}/weights.pt"[1:], f"for '{tmp_path}/weights.pt' write 'timm:small/{tmp_path}/weights"),
    ]:
        with pytest.raises(WeightsError, match=told):
            find(weights)


def test_a_library_that_is_missing_or_broken_is_explained(tmp_path, monkeypatch):
    with pytest.raises(
        MissingExtraError, match=r"no-such is not installed; run: pip install 'embshift\[x\]'"
    ):
        import_library(lambda: importlib.import_module("no_such_library"), package="no-such", extra="x")
    (tmp_path / "broken_library.py").write_text("raise RuntimeError('operator nms does not exist')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "broken_library", raising=False)
    with pytest.raises(EncoderError, match=r"operator nms does not exist.*torchvision of one release"):
        import_library(lambda: importlib.import_module("broken_library"), package="broken", extra="x")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("open_clip:ViT-B-32/laion2b_s34b_b79k", "open_clip"),
        ("open_clip:ViT-B-32", "open_clip"),
        ("timm:resnet50", "timm"),
        ("timm:resnet50.a1_in1k//tmp/weights.pt", "timm"),
    ],
)
def test_the_forms_are_found_by_what_is_written(source, name):
    assert find_entry(source).name == name
    assert find_trust(source) == ""


@pytest.mark.parametrize("source", ["open_clip:ViT-B-32/laion2b_s34b_b79k", "timm:resnet50"])
@pytest.mark.parametrize("option", [{"precision": "bfloat16"}, {"runtime": "openvino"}])
def test_another_precision_or_runtime_is_refused(source, option):
    with pytest.raises(EncoderError, match=f"'{source}' computes in one way.*leave both out"):
        open_encoder(source, device="cpu", **option)
