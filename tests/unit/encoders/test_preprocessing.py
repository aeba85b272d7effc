"""Preprocessing: the processor's own numbers, and the part of the image that is seen."""

import json

import numpy as np
import pytest
import torch
import transformers

from embshift.core.errors import EncoderError
from embshift.core.types import Capture, Field
from embshift.encoders.open import open_encoder
from embshift.encoders.towers.frame import compute_field, compute_frame
from embshift.encoders.towers.preprocessing import open_preprocessing
from tests.unit.encoders.families import FAMILIES, make_checkpoint

PILLOW = ["clip", "siglip", "dinov2", "vit"]


def images(height, width, count=3):
    return np.random.default_rng(4).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def state(folder, **settings):
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return open_preprocessing(folder, default="CLIPImageProcessor")


def square(size, crop, **more):
    return {"size": {"shortest_edge": size}, "crop_size": {"height": crop, "width": crop}, **more}


@pytest.mark.parametrize("family", PILLOW)
@pytest.mark.parametrize("sides", [(32, 32), (40, 40), (32, 45), (51, 33), (33, 33), (200, 32)])
def test_is_the_processor_s_own(family, sides, tmp_path):
    name, views = FAMILIES[family].processor, images(*sides)
    processor = getattr(transformers, name)(**FAMILIES[family].options)
    processor.save_pretrained(tmp_path)
    expected = processor(images=list(views), input_data_format="channels_last", return_tensors="pt")
    found = open_preprocessing(tmp_path, default=name).prepare(views)
    assert torch.equal(found["pixel_values"], expected["pixel_values"])


@pytest.mark.parametrize(
    "change", [{"do_rescale": False}, {"do_normalize": False}, {"rescale_factor": 0.01}, {"do_resize": False}]
)
def test_follows_its_settings(change, tmp_path):
    stated = square(32, 32, **change)
    expected = transformers.CLIPImageProcessorPil(**stated)(
        images=list(images(32, 32)), input_data_format="channels_last", return_tensors="pt"
    )
    found = state(tmp_path, **stated).prepare(images(32, 32))["pixel_values"]
    torch.testing.assert_close(found, expected["pixel_values"].float(), rtol=0, atol=0)


def test_an_untouched_image_does_not_pass_through_the_processor(tmp_path, monkeypatch):
    found = state(tmp_path, **square(32, 32))

    def refuse(*_, **__):
        raise AssertionError("the resize is the identity")

    monkeypatch.setattr(transformers.CLIPImageProcessorPil, "preprocess", refuse)
    monkeypatch.setattr(transformers.CLIPImageProcessorPil, "__call__", refuse)
    assert found.prepare(images(32, 32))["pixel_values"].shape == (3, 3, 32, 32)
    with pytest.raises(AssertionError, match="identity"):
        found.prepare(images(33, 32))


def test_an_older_file_is_understood(tmp_path):
    found = state(tmp_path, feature_extractor_type="CLIPFeatureExtractor", size=32, crop_size=32, resample=3)
    assert found.settings["size"] == {"shortest_edge": 32}
    assert found.settings["crop_size"] == {"height": 32, "width": 32}
    assert found.settings["processor"] == "CLIPImageProcessorPil"


def test_a_processor_s_file_is_understood(tmp_path):
    stated = {
        "image_processor": {
            "image_processor_type": "SiglipImageProcessorFast",
            "size": {"height": 8, "width": 8},
        }
    }
    (tmp_path / "processor_config.json").write_text(json.dumps(stated))
    found = open_preprocessing(tmp_path, default="CLIPImageProcessor")
    assert found.settings["processor"] == "SiglipImageProcessorPil"
    assert found.settings["size"] == {"height": 8, "width": 8}


def test_no_file_at_all(tmp_path):
    with pytest.raises(EncoderError, match=r"has no preprocessor_config\.json"):
        open_preprocessing(tmp_path, default="CLIPImageProcessor")


def test_a_broken_file(tmp_path):
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(EncoderError, match="cannot be read as JSON"):
        open_preprocessing(tmp_path, default="CLIPImageProcessor")


def test_another_processor(tmp_path):
    with pytest.raises(EncoderError, match="is 'OwlViTImageProcessor'; supported:"):
        state(tmp_path, image_processor_type="OwlViTImageProcessor")


def test_another_resample(tmp_path):
    with pytest.raises(EncoderError, match="resample 1 is not supported"):
        state(tmp_path, image_processor_type="DINOv3ViTImageProcessorFast", resample=1)


@pytest.mark.parametrize("size", [{"longest_edge": 32, "shortest_edge": 16}, {"height": 3}])
def test_another_size(size):
    with pytest.raises(EncoderError, match="expected shortest_edge, or height and width"):
        compute_frame({"do_resize": True, "size": size}, height=32, width=32)


def test_padding_is_refused():
    settings = {"do_center_crop": True, "crop_size": {"height": 40, "width": 40}}
    with pytest.raises(EncoderError, match="padding is not supported"):
        compute_frame(settings, height=32, width=32)


def test_field_of_the_usual_crop():
    settings = {"do_resize": True, "do_center_crop": True, **square(224, 224)}
    wide = compute_frame(settings, height=224, width=300)
    assert compute_field(wide, seen=(224, 224)) == Field(top=0, left=38, height=224, width=224)
    tall = compute_frame(settings, height=900, width=448)
    assert tall.resized == (450, 224)
    assert compute_field(tall, seen=(224, 224)) == Field(top=226, left=0, height=448, width=448)
    assert compute_frame(settings, height=224, width=224).is_untouched


def embedding(encoder, image):
    return encoder.encode(image[None], capture=Capture.EMBEDDING).embedding


@pytest.mark.parametrize("family", ["clip", "dinov2-registers"])
@pytest.mark.parametrize("sides", [(32, 46), (53, 32)])
def test_nothing_outside_the_field_is_seen(family, sides, tmp_path):
    encoder = open_encoder(str(make_checkpoint(family, tmp_path / family)), device="cpu")
    image = images(*sides, count=1)[0] // 2
    field = encoder.encode(image[None], capture=Capture.EMBEDDING).field
    top, left, height, width = (int(side) for side in field)
    assert (height, width) == (32, 32)
    assert Field(top, left, height, width) == field
    inside = np.zeros(sides, dtype=bool)
    inside[top : top + height, left : left + width] = True
    outside = image.copy()
    outside[~inside] = 255
    assert (outside != image).any()
    assert torch.equal(embedding(encoder, outside), embedding(encoder, image))
    for corner in ((top, left), (top + height - 1, left + width - 1)):
        bright = image.copy()
        bright[corner] = 255
        assert not torch.equal(embedding(encoder, bright), embedding(encoder, image))


def test_pixels_that_no_whole_patch_covers_are_outside(tmp_path):
    # As SigLIP's 384 pixels in patches of 14: here 36 in patches of 8 leave 4 unseen at right and bottom.
    folder = make_checkpoint("siglip", tmp_path / "siglip")
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["image_size"] = 36
    (folder / "config.json").write_text(json.dumps(config))
    stated = json.loads((folder / "preprocessor_config.json").read_text())
    stated["size"] = {"height": 36, "width": 36}
    (folder / "preprocessor_config.json").write_text(json.dumps(stated))
    encoder = open_encoder(str(folder), device="cpu")
    image = images(36, 36, count=1)[0] // 2
    found = encoder.encode(image[None], capture=Capture.EMBEDDING)
    assert found.grid == (4, 4)
    assert found.field == Field(0, 0, 32, 32)
    outside = image.copy()
    outside[32:] = outside[:, 32:] = 255
    assert torch.equal(embedding(encoder, outside), found.embedding)
    outside[31, 31] = 255
    assert not torch.equal(embedding(encoder, outside), found.embedding)


def test_a_grid_that_does_not_fit(tmp_path):
    folder = make_checkpoint("clip", tmp_path / "clip")
    stated = json.loads((folder / "preprocessor_config.json").read_text())
    stated.update(square(48, 48))
    (folder / "preprocessor_config.json").write_text(json.dumps(stated))
    encoder = open_encoder(str(folder), device="cpu")
    with pytest.raises(EncoderError, match=r"become 48 by 48 .* it takes 32 by 32 in patches of 8"):
        encoder.encode(images(32, 32), capture=Capture.EMBEDDING)


def test_dinov2_takes_another_grid(tmp_path):
    folder = make_checkpoint("dinov2", tmp_path / "dinov2")
    stated = json.loads((folder / "preprocessor_config.json").read_text())
    stated.update(square(48, 48))
    (folder / "preprocessor_config.json").write_text(json.dumps(stated))
    found = open_encoder(str(folder), device="cpu").encode(
        images(48, 48), capture=Capture.EMBEDDING | Capture.ATTENTION
    )
    assert found.grid == (6, 6)
    assert found.attention.shape == (3, 2, 36)
