"""Image models of transformers that no family knows: the library's own numbers, and what is refused."""

import json

import numpy as np
import pytest
import torch
import transformers

from embshift.core.errors import EncoderError, WeightsError
from embshift.core.types import Capture
from embshift.encoders.open import open_encoder

VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {k: v for k, v in VISION.items() if k not in ("image_size", "patch_size")} | {"vocab_size": 64}
TOKENS = {"bos_token_id": 0, "eos_token_id": 1, "sep_token_id": 1, "pad_token_id": 1}
STAGES = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
SQUARE = {"size": {"height": 32, "width": 32}}
CROPPED = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}


def make_blip(kind):
    text = TEXT | TOKENS | {"encoder_hidden_size": 32}
    config = transformers.BlipConfig(vision_config=VISION, text_config=text, projection_dim=24)
    return getattr(transformers, kind)(config)


def make_blip_2(kind):
    query = {k: v for k, v in TEXT.items() if k != "vocab_size"} | {"encoder_hidden_size": 32}
    text = {"model_type": "opt", "hidden_size": 32, "ffn_dim": 48, "word_embed_proj_dim": 32}
    config = transformers.Blip2Config(
        vision_config=VISION,
        qformer_config=query | {"vocab_size": 64},
        text_config=text | {"num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 64},
        num_query_tokens=4,
        image_text_hidden_size=16,
    )
    return getattr(transformers, kind)(config)


def make_both(kind):
    config = getattr(transformers, f"{kind}Config")
    return getattr(transformers, f"{kind}Model")(
        config(vision_config=VISION, text_config=TEXT | {"project_dim": 24}, projection_dim=24)
    )


def make_one(kind, **more):
    return getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**more))


def call_features(network, inputs):
    found = network.get_image_features(pixel_values=inputs)
    return found if isinstance(found, torch.Tensor) else found.pooler_output


def call_pooled(network, inputs):
    return network(inputs).pooler_output.flatten(1)


def call_mean(network, inputs):
    return network(inputs).last_hidden_state.mean(1)


def call_tower(network, inputs):
    return network.vision_model(inputs).pooler_output


class FloatProcessor:
    """What the library's processor of DINOv3 does, written out, since its class needs torchvision."""

    def __init__(self, *, size):
        self.size, self.mean, self.deviation = size, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

    def save_pretrained(self, folder):
        stated = {"size": self.size, "image_mean": self.mean, "image_std": self.deviation}
        stated |= {"image_processor_type": "DINOv3ViTImageProcessorFast", "resample": 2}
        (folder / "preprocessor_config.json").write_text(json.dumps(stated))

    def __call__(self, images, **options):
        values = torch.tensor(np.stack(images)).permute(0, 3, 1, 2).float() / 255
        sides = (self.size["height"], self.size["width"])
        values = torch.nn.functional.interpolate(values, size=sides, mode="bilinear", antialias=True)
        mean, deviation = (torch.tensor(each)[:, None, None] for each in (self.mean, self.deviation))
        return {"pixel_values": (values - mean) / deviation}


MODELS = {
    "ijepa": (lambda: make_one("IJepa", **VISION), "ViT", SQUARE, call_mean, "mean over all tokens"),
    "data2vec": (
        lambda: make_one("Data2VecVision", **VISION),
        "Beit",
        SQUARE | {"do_center_crop": False},
        call_mean,
        "mean over all tokens",
    ),
    "vit_msn": (lambda: make_one("ViTMSN", **VISION), "ViT", SQUARE, call_mean, "mean over all tokens"),
    "deit": (
        lambda: make_one("DeiT", **VISION),
        "DeiT",
        {"size": {"height": 40, "width": 40}, "crop_size": {"height": 32, "width": 32}},
        call_pooled,
        "pooled output",
    ),
    "convnext": (
        lambda: make_one("ConvNext", **STAGES),
        "ConvNext",
        {"size": {"shortest_edge": 64}},
        call_pooled,
        "pooled output",
    ),
    "dinov3_convnext": (
        lambda: make_one("DINOv3ConvNext", **STAGES),
        "DINOv3ViT",
        SQUARE,
        call_pooled,
        "pooled output",
    ),
    "resnet": (
        lambda: make_one("ResNet", embedding_size=8, **STAGES),
        "ConvNext",
        {"size": {"shortest_edge": 64}},
        call_pooled,
        "pooled output",
    ),
    "swin": (
        lambda: make_one(
            "Swin", image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4
        ),
        "ViT",
        SQUARE,
        call_pooled,
        "pooled output",
    ),
    "blip": (lambda: make_blip("BlipModel"), "Blip", SQUARE, call_features, "image features, projected"),
    "blip-itm": (
        lambda: make_blip("BlipForImageTextRetrieval"),
        "Blip",
        SQUARE,
        call_tower,
        "pooled output",
    ),
    "blip-2": (lambda: make_blip_2("Blip2Model"), "Blip", SQUARE, call_tower, "pooled output"),
    "blip-2-itm": (
        lambda: make_blip_2("Blip2ForImageTextRetrieval"),
        "Blip",
        SQUARE,
        call_tower,
        "pooled output",
    ),
    "chinese_clip": (
        lambda: make_both("ChineseCLIP"),
        "ChineseCLIP",
        CROPPED,
        call_features,
        "image features, projected",
    ),
}


def find_processor(name):
    return FloatProcessor if name == "DINOv3ViT" else getattr(transformers, f"{name}ImageProcessorPil")


class Made:
    """A model of the library, its processor, and the checkpoint of both."""

    def __init__(self, name, folder):
        make, processor, options, self.call, self.kind = MODELS[name]
        torch.manual_seed(0)
        self.network, self.folder = make().eval(), folder / name
        self.network.save_pretrained(self.folder)
        self.processor = find_processor(processor)(**options)
        self.processor.save_pretrained(self.folder)
        self.encoder = open_encoder(str(self.folder), device="cpu")

    def compute(self, views):
        """What the library gives by its own call."""
        shown = self.processor(images=list(views), return_tensors="pt", input_data_format="channels_last")
        with torch.inference_mode():
            return self.call(self.network, shown["pixel_values"])


@pytest.fixture(scope="module", params=MODELS)
def made(request, tmp_path_factory):
    return Made(request.param, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def views():
    return np.random.default_rng(0).integers(0, 256, (5, 45, 64, 3), dtype=np.uint8)


def embed(encoder, views):
    return encoder.encode(views, capture=Capture.EMBEDDING | Capture.ATTENTION)


def test_the_embedding_is_the_librarys(made, views):
    found = embed(made.encoder, views)
    assert torch.allclose(found.embedding, made.compute(views), atol=1e-6)
    spec = made.encoder.spec
    assert spec.embedding.startswith(made.kind)
    assert (spec.family, spec.map_name, found.attention) == ("transformers", "", None)
    assert (spec.dim, len(spec.digest)) == (found.embedding.shape[1], 64)


def test_rows_do_not_depend_on_their_neighbours(made, views):
    alone = embed(made.encoder, views[2:3]).embedding
    assert torch.allclose(embed(made.encoder, views).embedding[2:3], alone, atol=1e-6)


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    return Made("resnet", tmp_path_factory.mktemp("spoilt"))


@pytest.mark.parametrize("option", [{"precision": "bfloat16"}, {"runtime": "openvino"}])
def test_what_was_not_tried_is_refused(resnet, option):
    with pytest.raises(EncoderError, match="leave both out"):
        open_encoder(str(resnet.folder), device="cpu", **option)


def test_a_missing_weight_is_named(resnet, tmp_path):
    weights = {k: v for k, v in resnet.network.state_dict().items() if "stages.1" not in k}
    resnet.network.save_pretrained(tmp_path / "short", state_dict=weights)
    resnet.processor.save_pretrained(tmp_path / "short")
    with pytest.raises(WeightsError, match=r"stages\.1"):
        open_encoder(str(tmp_path / "short"), device="cpu")


@pytest.mark.parametrize(
    ("named", "said"),
    [(None, "names no image_processor_type, and transformers has none"), ("NoImageProcessor", "for Pillow")],
)
def test_a_missing_processor_is_named(tmp_path, named, said):
    make_one("DINOv3ConvNext", **STAGES).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": named}))
    with pytest.raises(EncoderError, match=said):
        open_encoder(str(tmp_path), device="cpu")


def test_images_too_small_for_the_model_are_refused(tmp_path, views):
    made = Made("swin", tmp_path)
    config = json.loads((made.folder / "preprocessor_config.json").read_text())
    wrong = made.folder.parent / "wrong"
    made.network.save_pretrained(wrong)
    (wrong / "preprocessor_config.json").write_text(json.dumps(config | {"do_resize": False}))
    encoder = open_encoder(str(wrong), device="cpu")
    with pytest.raises(EncoderError, match="cannot encode images of 1 by 1 pixels"):
        embed(encoder, views[:, :1, :1])


def test_a_masked_autoencoder_sees_the_whole_image(tmp_path, views):
    torch.manual_seed(0)
    make_one("ViTMAE", **VISION).save_pretrained(tmp_path / "mae")
    transformers.ViTImageProcessorPil(**SQUARE).save_pretrained(tmp_path / "mae")
    encoder = open_encoder(str(tmp_path / "mae"), device="cpu")
    first, again = (embed(encoder, views).embedding for _ in range(2))
    assert torch.allclose(first, again, atol=1e-6)


def test_a_model_without_images_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(EncoderError, match="holds a 'bert', which no encoder opens"):
        open_encoder(str(tmp_path), device="cpu")
