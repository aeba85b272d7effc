"""What ONNX models promise as encoders: the numbers of onnxruntime, on inputs prepared as stated."""

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from embshift.core.encoding import Encoder
from embshift.core.types import Capture, Field
from embshift.encoders.open import open_encoder
from tests.unit.encoders.forms.onnx_models import CLIP, DIM, HEADS, write_model

BOTH = Capture.EMBEDDING | Capture.ATTENTION
NHWC = ("n", 32, 32, 3)
FORMS = {
    "floats": {"settings": CLIP},
    "bytes": {"kind": "uint8"},
    "half": {"kind": "float16", "settings": CLIP},
    "channels last": {"layout": "NHWC", "shape": NHWC, "settings": CLIP},
    "bytes last": {"kind": "uint8", "layout": "NHWC", "shape": NHWC},
    "one at a time": {"shape": (1, 3, 32, 32), "settings": CLIP},
    "three at a time": {"shape": (3, 3, 32, 32), "settings": CLIP},
    "any size": {"shape": ("n", 3, "h", "w"), "settings": CLIP},
    "weights beside": {"external": "model.data", "settings": CLIP},
    "two outputs": {"attention": True, "settings": {**CLIP, "attention": "last_attention"}},
}


def draw_views(count=5, size=(32, 32), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def open_model(folder, **options):
    return open_encoder(write_model(folder, **options), device="cpu")


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


def run_library(path, values, name="image_embeds"):
    """Run a model as onnxruntime's own documentation does: default options, and batches as the graph says."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    at_once = session.get_inputs()[0].shape[0]
    at_once = at_once if isinstance(at_once, int) else len(values)
    found = []
    for start in range(0, len(values), at_once):
        part = values[start : start + at_once]
        filled = np.concatenate([part, np.zeros((at_once - len(part), *part.shape[1:]), part.dtype)])
        found.append(session.run([name], {"images": filled})[0][: len(part)])
    return np.concatenate(found)


def prepare_literally(views, form):
    """Write out the preparation a second time, in steps, without a table."""
    values = views.astype(np.float32)
    if form.get("kind") == "uint8":
        values = views
    else:
        mean, deviation = (np.array(CLIP[name], dtype=np.float32) for name in ("mean", "deviation"))
        values = (values / np.float32(255) - mean) / deviation
    if form.get("layout") != "NHWC":
        values = np.moveaxis(values, 3, 1)
    return values.astype(form.get("kind", "float32"))


def test_embeddings_are_the_librarys_own(form, tmp_path):
    path = write_model(tmp_path, **form)
    views = draw_views()
    found = open_encoder(path, device="cpu").encode(views, capture=Capture.EMBEDDING).embedding
    expected = run_library(path, prepare_literally(views, form))
    assert found.dtype == torch.float32
    assert expected.std() > 0.01
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-6)


def test_it_is_an_encoder_and_states_itself(form, tmp_path):
    encoder = open_model(tmp_path, **form)
    spec = encoder.spec
    assert isinstance(encoder, Encoder)
    assert (spec.family, spec.dim, spec.precision, spec.runtime) == ("onnx", DIM, "float32", "onnxruntime")
    assert spec.embedding == "output 'image_embeds' of the graph"
    assert len(spec.digest) == 64
    assert (spec.map_name, spec.heads) == (("attention map", HEADS) if form.get("attention") else ("", 0))


def test_no_row_depends_on_its_neighbours(form, tmp_path):
    encoder = open_model(tmp_path, **form)
    views, others = draw_views(), draw_views(seed=1)
    together = encoder.encode(views, capture=Capture.EMBEDDING).embedding
    for row in range(len(views)):
        mixed = others.copy()
        mixed[row] = views[row]
        assert torch.equal(encoder.encode(mixed, capture=Capture.EMBEDDING).embedding[row], together[row])


def test_neither_maps_nor_views_change_the_embedding(form, tmp_path):
    encoder, views = open_model(tmp_path, **form), draw_views()
    before = views.copy()
    alone, mapped = (encoder.encode(views, capture=capture) for capture in (Capture.EMBEDDING, BOTH))
    assert torch.equal(alone.embedding, mapped.embedding)
    assert alone.attention is None
    assert np.array_equal(views, before)


def test_maps_are_the_graphs_own(tmp_path):
    form = FORMS["two outputs"]
    path = write_model(tmp_path, **form)
    views = draw_views()
    found = open_encoder(path, device="cpu").encode(views, capture=BOTH)
    expected = run_library(path, prepare_literally(views, form), name="last_attention")
    np.testing.assert_allclose(found.attention.numpy(), expected, atol=1e-6)
    assert found.grid == (4, 4)
    assert found.attention.shape == (5, HEADS, 16)


def test_a_stated_grid_need_not_be_square(tmp_path):
    settings = {**CLIP, "attention": "last_attention", "grid": [2, 8]}
    encoder = open_model(tmp_path, attention=True, settings=settings, shape=("n", 3, 16, 64))
    found = encoder.encode(draw_views(2, (16, 64)), capture=BOTH)
    assert found.grid == (2, 8)


ODD = [(32, 32), (33, 47), (61, 35), (97, 64)]
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@pytest.mark.parametrize("size", ODD)
@pytest.mark.parametrize("interpolation", FILTERS)
def test_views_of_odd_sizes_are_resized_as_pillow_does(tmp_path, size, interpolation):
    path = write_model(tmp_path, kind="uint8", settings={"interpolation": interpolation})
    views = draw_views(2, size)
    found = open_encoder(path, device="cpu").encode(views, capture=Capture.EMBEDDING)
    resized = [Image.fromarray(view).resize((32, 32), FILTERS[interpolation]) for view in views]
    expected = run_library(path, np.stack([np.asarray(image).transpose(2, 0, 1) for image in resized]))
    np.testing.assert_allclose(found.embedding.numpy(), expected, rtol=1e-6, atol=1e-5)
    assert found.field == Field(0.0, 0.0, *map(float, size))


@pytest.mark.parametrize("size", ODD)
def test_a_shorter_side_is_resized_and_the_centre_cropped(tmp_path, size):
    path = write_model(tmp_path, kind="uint8", settings={"resize": 40})
    views = draw_views(2, size)
    found = open_encoder(path, device="cpu").encode(views, capture=Capture.EMBEDDING)
    high, wide = size
    wide, high = (40, int(40 * high / wide)) if wide <= high else (int(40 * wide / high), 40)
    images = [Image.fromarray(view).resize((wide, high), Image.Resampling.BICUBIC) for view in views]
    left, top = (wide - 32) // 2, (high - 32) // 2
    cropped = [np.asarray(image.crop((left, top, left + 32, top + 32))) for image in images]
    expected = run_library(path, np.stack(cropped).transpose(0, 3, 1, 2))
    np.testing.assert_allclose(found.embedding.numpy(), expected, rtol=1e-6, atol=1e-5)
    assert found.field.height == pytest.approx(32 * size[0] / high)


def test_scale_and_one_number_for_all_channels(tmp_path):
    settings = {"scale": 1.0, "mean": 127.5, "deviation": 127.5}
    path = write_model(tmp_path, settings=settings)
    views = draw_views()
    found = open_encoder(path, device="cpu").encode(views, capture=Capture.EMBEDDING).embedding
    values = (views.transpose(0, 3, 1, 2).astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
    np.testing.assert_allclose(found.numpy(), run_library(path, values), rtol=1e-6, atol=1e-6)


def test_a_graph_of_any_size_takes_views_as_they_are(tmp_path):
    path = write_model(tmp_path, **FORMS["any size"])
    views = draw_views(2, (40, 24))
    found = open_encoder(path, device="cpu").encode(views, capture=Capture.EMBEDDING).embedding
    expected = run_library(path, prepare_literally(views, FORMS["any size"]))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-6)
