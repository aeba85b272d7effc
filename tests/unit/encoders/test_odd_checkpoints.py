"""Checkpoints that are legal, wrapped or incomplete: measured as the library does, or the cause is named."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from embshift.core.errors import EncoderError, WeightsError
from embshift.core.types import Capture
from embshift.encoders.open import open_encoder
from tests.unit.encoders.families import make_checkpoint

VIEWS = np.random.default_rng(2).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
KINDS = ("clip", "siglip", "siglip2", "dinov2-registers", "dinov3", "aimv2", "vit")  # one of every network


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return {kind: make_checkpoint(kind, folder / kind) for kind in KINDS}


@pytest.fixture
def altered(checkpoints, tmp_path):
    """Return a function that copies a checkpoint with another value of one field."""

    def alter(kind, file, field, value):
        folder = shutil.copytree(checkpoints[kind], tmp_path / kind)
        content = json.loads((folder / file).read_text(encoding="utf-8"))
        stated = content.get("vision_config", content) if file == "config.json" else content
        stated[field] = value
        (folder / file).write_text(json.dumps(content), encoding="utf-8")
        return folder

    return alter


def embed(folder, *, views=VIEWS):
    return open_encoder(str(folder), device="cpu").encode(views, capture=Capture.EMBEDDING)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_channels", 1),
        ("patch_size", 0),
        ("patch_size", [8]),
        ("image_size", 0),
        ("image_size", [32]),
        ("num_attention_heads", 5),
        ("num_attention_heads", 0),
        ("hidden_size", 0),
        ("hidden_act", "none"),
    ],
)
def test_a_field_of_the_config_that_cannot_be_used_is_named(altered, kind, field, value):
    with pytest.raises(EncoderError, match=field.removeprefix("num_attention_")):
        embed(altered(kind, "config.json", field, value))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [[8, 8], [8, 16]])
def test_a_patch_of_two_sides_is_measured_or_named(altered, kind, value):
    folder = altered(kind, "config.json", "patch_size", value)
    if kind in ("dinov2-registers", "dinov3", "vit") and value == [8, 8]:
        assert embed(folder).grid == (4, 4)
    else:
        with pytest.raises(EncoderError, match=r"patch_size|shapes of config\.json"):
            embed(folder)


def test_a_patch_that_is_not_square_is_measured_as_the_library_does(tmp_path):
    options = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.ViTConfig(**options, image_size=32, patch_size=[8, 16])
    torch.manual_seed(0)
    network = transformers.ViTModel(config, add_pooling_layer=False).eval()
    network.save_pretrained(tmp_path)
    stated = {"do_resize": False, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": False}
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps(stated | {"image_processor_type": "ViTImageProcessor"}), encoding="utf-8")
    pixels = torch.as_tensor(VIEWS).permute(0, 3, 1, 2) / 255
    wanted = network(pixel_values=pixels).last_hidden_state[:, 0]
    found = open_encoder(str(tmp_path), device="cpu").encode(
        VIEWS, capture=Capture.EMBEDDING | Capture.ATTENTION
    )
    assert found.grid == (4, 2)
    assert tuple(found.attention.shape) == (2, 2, 8)
    torch.testing.assert_close(found.embedding, wanted.detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_mean", "x"),
        ("image_mean", [None] * 3),
        ("image_std", [0, 0, 0]),
        ("resample", 77),
        ("rescale_factor", "1/255"),
    ],
)
def test_a_setting_of_the_preprocessing_that_cannot_be_used_is_named(altered, kind, field, value):
    folder = altered(kind, "preprocessor_config.json", field, value)
    if kind == "siglip2" and field == "resample":
        return  # nothing is resized here
    with pytest.raises(EncoderError, match=rf"preprocessor_config\.json.*{field}"):
        embed(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("patch_size", value) for value in (None, "x", 0, -8, 8.0, True, [8, 8], 10**9)),
        *(("max_num_patches", value) for value in ("x", 0, -8, 8.5, True, 10**9)),
    ],
)
def test_patches_that_the_preprocessing_cannot_cut_are_named(altered, field, value):
    with pytest.raises(EncoderError, match=rf"preprocessor_config\.json states {field} .*expected a whole"):
        open_encoder(str(altered("siglip2", "preprocessor_config.json", field, value)), device="cpu")


def test_patches_of_two_sizes_are_named(altered):
    folder = altered("siglip2", "preprocessor_config.json", "patch_size", 16)
    with pytest.raises(EncoderError, match=r"states patch_size 16, but config\.json 8 by 8"):
        open_encoder(str(folder), device="cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_beyond_all_floats_is_named(altered, kind):
    with pytest.raises(EncoderError, match=r"rescale_factor 10+; expected a number"):
        embed(altered(kind, "preprocessor_config.json", "rescale_factor", 10**400))


SIZES = (0, -5, [32], [], {"width": 32}, {"height": 0, "width": 32}, "x", {"shortest_edge": "a"}, 10**9)


@pytest.mark.parametrize("field", ["size", "crop_size"])
@pytest.mark.parametrize("value", SIZES)
def test_a_size_that_is_none_is_refused_when_the_encoder_is_opened(altered, field, value):
    folder = altered("clip", "preprocessor_config.json", field, value)
    with pytest.raises(EncoderError, match=r"preprocessor_config\.json"):
        open_encoder(str(folder), device="cpu")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "dinov3"])
@pytest.mark.parametrize("field", ["image_mean", "image_std", "rescale_factor"])
def test_null_is_named(altered, kind, field):
    with pytest.raises(EncoderError, match=f"{field} None"):
        embed(altered(kind, "preprocessor_config.json", field, None))


@pytest.mark.parametrize("kind", KINDS)
def test_one_number_stands_for_all_channels(altered, checkpoints, kind, tmp_path):
    folder = altered(kind, "preprocessor_config.json", "image_mean", 0.25)
    (tmp_path / "three").mkdir()
    three = shutil.copytree(folder, tmp_path / "three" / kind)
    content = json.loads((three / "preprocessor_config.json").read_text(encoding="utf-8"))
    (three / "preprocessor_config.json").write_text(json.dumps(content | {"image_mean": [0.25] * 3}))
    assert torch.equal(embed(folder).embedding, embed(three).embedding)


def test_a_list_of_one_is_treated_as_the_library_treats_it(altered, checkpoints, tmp_path):
    with pytest.raises(EncoderError, match=r"image_mean \[0\.25\]; expected three numbers"):
        embed(altered("clip", "preprocessor_config.json", "image_mean", [0.25]))
    processor = transformers.CLIPImageProcessorPil(image_mean=[0.25], do_resize=False, do_center_crop=False)
    with pytest.raises(ValueError, match="mean must have 3 elements"):
        processor(images=list(VIEWS), input_data_format="channels_last")
    # The library's only processor of DINOv3 computes in torch, where one number is broadcast.
    assert embed(altered("dinov3", "preprocessor_config.json", "image_mean", [0.25])).grid == (4, 4)


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "_orig_mod.",
        "model.",
        "base_model.model.",
        "module._orig_mod.",
        "_fsdp_wrapped_module.",
        "_forward_module.",
    ],
)
@pytest.mark.parametrize("kind", ["clip", "dinov3", "vit"])
def test_prefixes_of_wrappers_are_stripped(checkpoints, tmp_path, kind, prefix):
    folder = shutil.copytree(checkpoints[kind], tmp_path / kind)
    tensors = load_file(folder / "model.safetensors")
    save_file({prefix + name: tensor for name, tensor in tensors.items()}, folder / "model.safetensors")
    assert torch.equal(embed(folder).embedding, embed(checkpoints[kind]).embedding)


def change_names(folder, rename):
    tensors = load_file(folder / "model.safetensors")
    save_file({rename(name): tensor for name, tensor in tensors.items()}, folder / "model.safetensors")


def test_an_adapter_that_is_not_merged_is_named(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints["clip"], tmp_path / "clip")
    change_names(folder, lambda name: "base_model.model." + name.replace("q_proj.", "q_proj.base_layer."))
    with pytest.raises(WeightsError, match=r"adapter that is not merged .*merge_and_unload"):
        embed(folder)
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"holds an adapter, not an encoder; .*merge_and_unload"):
        embed(folder)


def test_another_head_is_named(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints["clip"], tmp_path / "clip")
    config = transformers.CLIPConfig.from_pretrained(folder)
    transformers.CLIPForImageClassification(config).save_pretrained(folder)
    with pytest.raises(WeightsError, match=r"lacks visual_projection\.weight; .*another head \(classifier"):
        embed(folder)


def test_names_of_another_library_are_named(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints["vit"], tmp_path / "vit")
    change_names(folder, lambda name: "trunk." + name.replace(".", "_"))
    with pytest.raises(WeightsError, match="its names are not those of ViTModel"):
        embed(folder)


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "model.safetensors.index.json",
        "config.json",
        "preprocessor_config.json",
    ],
)
def test_a_pointer_of_git_lfs_is_named(checkpoints, tmp_path, name):
    folder = shutil.copytree(checkpoints["clip"], tmp_path / "clip")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 605157884\n"
    (folder / name).write_text(pointer, encoding="ascii")
    if name.endswith(".index.json"):
        (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="is a Git LFS pointer, not the file itself; run 'git lfs pull'"):
        embed(folder)


def test_sizes_that_differ_between_two_files_are_named(altered):
    folder = altered("clip", "preprocessor_config.json", "crop_size", {"height": 24, "width": 24})
    with pytest.raises(EncoderError, match=r"24 by 24 .*takes 32 by 32 .*two files that differ") as caught:
        embed(folder)
    assert "square images" not in str(caught.value)


def test_images_that_are_not_square_are_named(altered):
    folder = altered("clip", "preprocessor_config.json", "do_center_crop", False)
    with pytest.raises(EncoderError, match="use square images"):
        embed(folder, views=np.zeros((1, 40, 60, 3), dtype=np.uint8))
