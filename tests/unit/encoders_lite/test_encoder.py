import cv2
import jaxtyping
import numpy as np
import pytest
import torch
from torch.nn import functional

from embshift.core.encoding import Encoder
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, Field
from embshift.encoders import ENCODERS
from embshift.encoders.lite.blocks import HEADS, LAYERS, make_initial_weights
from embshift.encoders.lite.encoder import LiteEncoder, round_side
from embshift.encoders.lite.trunk import compute_local_vectors
from embshift.encoders.lite.weight_file import read_weights

EVERYTHING = Capture.EMBEDDING | Capture.ATTENTION | Capture.LAYERS | Capture.TOKENS


def embed(lite, views):
    return lite.encode(views, capture=Capture.EMBEDDING).embedding


def tokens(views):
    weights = read_weights(device="cpu")
    planes = (torch.from_numpy(views).permute(0, 3, 1, 2).float() - 127) / 128
    return compute_local_vectors(planes, weights=weights).flatten(2).transpose(1, 2) @ weights["projection"].T


def noise(*shape, seed=1):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_it_is_an_encoder(lite):
    assert isinstance(lite, Encoder)


def untrained():
    """Return the encoder as it was before training, on the shipped trunk."""
    weights = {**read_weights(device="cpu"), **make_initial_weights(torch.Generator().manual_seed(1))}
    spec = ENCODERS["lite"].open("lite", device="cpu", allow_pickle=False).spec
    return LiteEncoder(weights=weights, spec=spec)


def test_untrained_embedding_is_the_teachers(squares):
    wanted = tokens(squares[:4]).mean(1)
    torch.testing.assert_close(embed(untrained(), squares[:4]), wanted, rtol=1e-4, atol=1e-4)


def test_training_moved_it(lite, squares):
    cosine = torch.cosine_similarity(embed(lite, squares), embed(untrained(), squares), dim=1)
    assert cosine.max() < 0.9999
    assert cosine.mean() > 0.8


def test_embedding_is_the_mean_weighted_by_the_map(lite, squares):
    seen = lite.encode(squares[:4], capture=EVERYTHING)
    weighted = (seen.attention.mean(1)[..., None] * tokens(squares[:4])).sum(1)
    torch.testing.assert_close(seen.embedding, weighted, rtol=1e-4, atol=1e-4)


def test_every_layer_is_returned(lite, squares):
    seen = lite.encode(squares[:3], capture=EVERYTHING)
    assert seen.layers.shape == (3, LAYERS, HEADS, 49)
    assert seen.tokens.shape == (3, LAYERS, 50, 256)
    assert torch.equal(seen.layers[:, -1], seen.attention)
    assert torch.equal(seen.tokens[:, -1, 0], seen.embedding)
    assert (seen.layers[:, :-1].sum(-1) < 1).all()  # the class token also attends to itself


def test_map_is_a_distribution(lite, squares):
    attention = lite.encode(squares, capture=EVERYTHING).attention
    assert attention.min() >= 0
    torch.testing.assert_close(attention.sum(-1), torch.ones(len(squares), HEADS))


def test_map_of_a_uniform_image_is_finite(lite):
    black = np.zeros((1, 64, 64, 3), np.uint8)
    encoding = lite.encode(black, capture=EVERYTHING)
    assert encoding.attention.isfinite().all()
    assert encoding.embedding.isfinite().all()


def test_map_lies_on_the_object(lite, photographs):
    sky = cv2.resize(photographs["rocket"][:60, :60], (224, 224))
    kingfisher = cv2.resize(photographs["kingfisher"][:, 60:260], (112, 112), interpolation=cv2.INTER_AREA)
    sky[112:, :112] = kingfisher
    attention = lite.encode(sky[None], capture=EVERYTHING).attention[0].mean(0).reshape(7, 7)
    assert attention[4:, :3].mean() > 1.5 * attention[:3, 4:].mean()


def test_only_what_is_wanted_is_captured(lite, squares):
    bare = lite.encode(squares[:2], capture=Capture.EMBEDDING)
    full = lite.encode(squares[:2], capture=EVERYTHING)
    assert bare.attention is None
    assert bare.layers is None
    assert bare.tokens is None
    assert full.attention is not None
    assert full.layers is not None
    assert full.tokens is not None
    assert torch.equal(bare.embedding, full.embedding)


def test_crops_of_one_photograph_are_nearest_to_each_other(lite, photographs):
    def corner(image, *, last):
        height, width = (int(side * 0.8) for side in image.shape[:2])
        part = image[-height:, -width:] if last else image[:height, :width]
        return cv2.resize(np.ascontiguousarray(part), (224, 224), interpolation=cv2.INTER_AREA)

    first = embed(lite, np.stack([corner(p, last=False) for p in photographs.values()]))
    second = embed(lite, np.stack([corner(p, last=True) for p in photographs.values()]))
    cosine = functional.normalize(first, dim=1) @ functional.normalize(second, dim=1).T
    assert torch.equal(cosine.argmax(1), torch.arange(len(cosine)))
    assert cosine.diag().mean() > 0.75
    assert cosine[~torch.eye(len(cosine), dtype=torch.bool)].mean() < 0.25


def test_mirroring_moves_less_than_blurring(lite, squares):
    mirrored = np.ascontiguousarray(squares[:, :, ::-1])
    blurred = np.stack([cv2.GaussianBlur(square, (0, 0), 2) for square in squares])
    near = torch.cosine_similarity(embed(lite, squares), embed(lite, mirrored), dim=1).mean()
    far = torch.cosine_similarity(embed(lite, squares), embed(lite, blurred), dim=1).mean()
    assert near > 0.93
    assert far < near


@pytest.mark.parametrize("shape", [(16, 96, 96), (32, 64, 64), (5, 64, 128), (7, 224, 224)])
def test_row_depends_only_on_its_own_image(lite, shape):
    views = noise(*shape, 3)
    order = np.random.default_rng(2).permutation(len(views))
    straight = lite.encode(views, capture=EVERYTHING)
    shuffled = lite.encode(views[order], capture=EVERYTHING)
    padded = views.copy()
    padded[2:] = 0
    few = lite.encode(padded, capture=EVERYTHING)
    assert torch.equal(shuffled.embedding, straight.embedding[order])
    assert torch.equal(shuffled.attention, straight.attention[order])
    assert torch.equal(few.embedding[:2], straight.embedding[:2])
    assert torch.equal(few.attention[:2], straight.attention[:2])
    assert torch.equal(few.tokens[:2], straight.tokens[:2])
    assert not torch.equal(few.embedding[2], straight.embedding[2])


@pytest.mark.parametrize(
    ("height", "width", "grid"),
    [(224, 224, (7, 7)), (64, 160, (2, 5)), (100, 250, (3, 8)), (20, 20, (2, 2)), (79, 80, (2, 3))],
)
def test_grid_follows_the_size_and_the_whole_image_is_seen(lite, height, width, grid):
    encoding = lite.encode(noise(2, height, width, 3), capture=EVERYTHING)
    assert encoding.grid == grid
    assert encoding.attention.shape == (2, HEADS, grid[0] * grid[1])
    assert encoding.field == Field(0.0, 0.0, float(height), float(width))
    assert encoding.embedding.shape == (2, 256)
    assert encoding.embedding.dtype == torch.float32


def test_other_sizes_are_resized_linearly(lite):
    views = noise(2, 100, 70, 3)
    resized = np.stack([cv2.resize(view, (64, 96), interpolation=cv2.INTER_LINEAR) for view in views])
    assert torch.equal(embed(lite, views), embed(lite, resized))


@pytest.mark.parametrize(("side", "wanted"), [(1, 64), (64, 64), (79, 64), (80, 96), (224, 224), (239, 224)])
def test_workable_side_is_the_nearest(side, wanted):
    assert round_side(side) == wanted


def test_read_only_and_strided_images_pass(lite, squares):
    views = squares[:2].copy()
    wanted = embed(lite, views)
    views.setflags(write=False)
    assert torch.equal(embed(lite, views), wanted)
    strided = np.repeat(views, 2, axis=2)[:, :, ::2]
    assert torch.equal(embed(lite, strided), wanted)


@pytest.mark.parametrize("side", [96, 100])
def test_views_that_are_on_the_device_are_encoded_alike(lite, side):
    views = np.random.default_rng(7).integers(0, 256, (3, side, 64, 3), dtype=np.uint8)
    there, here = (lite.encode(each, capture=Capture.ATTENTION) for each in (torch.as_tensor(views), views))
    assert torch.equal(there.embedding, here.embedding)
    assert torch.equal(there.attention, here.attention)


def test_images_are_not_changed(lite, squares):
    views = squares[:2].copy()
    embed(lite, views)
    assert np.array_equal(views, squares[:2])


@pytest.mark.parametrize(
    "views",
    [
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((2, 64, 64), np.uint8),
        np.zeros((2, 3, 64, 64), np.uint8),
        np.zeros((2, 64, 64, 3), np.float32),
        np.zeros((0, 64, 64, 3), np.uint8),
    ],
)
def test_what_is_no_batch_of_pictures_is_refused(lite, views, monkeypatch):
    # As in use, where no checker of shapes stands before the encoder's own.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(EncoderError, match=r"got an array of shape .* expected \(views, height, width, 3\)"):
        lite.encode(views, capture=Capture.EMBEDDING)
