"""Small networks with random weights, made by the libraries' own factories and saved as users save them."""

import json
from pathlib import Path

import open_clip
import timm
import torch
from safetensors.torch import save_file

VISION = {"image_size": 64, "layers": 2, "width": 64, "head_width": 16, "patch_size": 16}
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}

OPEN_CLIP = {
    "tiny": {"vision_cfg": VISION},
    "tiny-bias": {"vision_cfg": VISION, "init_logit_bias": -10, "custom_text": True},
    "tiny-mean": {"vision_cfg": {**VISION, "pool_type": "avg", "final_ln_after_pool": True}},
    "tiny-pool": {"vision_cfg": {**VISION, "attentional_pool": True, "attn_pooler_queries": 8}},
    "tiny-resnet": {"vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}},
    "tiny-oblong": {"vision_cfg": {**VISION, "image_size": [64, 96]}},
    "tiny-timm": {
        "vision_cfg": {
            "timm_model_name": "test_vit3",
            "timm_pool": "map",
            "timm_proj": "none",
            "image_size": 160,
        },
        "embed_dim": 96,
    },
}
"""Configurations in open_clip's form, by name."""

READ = {**TEXT, "vocab_size": 64, "hf_tokenizer_name": "someone/tokenizer"}
PADDED = {**READ, "no_causal_mask": True, "pool_type": "last"}
OF_TRANSFORMERS = {
    "hf_model_name": "someone/tower",
    "hf_tokenizer_name": "someone/tokenizer",
    "hf_proj_type": "linear",
    "context_length": 16,
}
WITH_TOKENIZERS = {
    "tiny-siglip": {
        "text_cfg": {**PADDED, "proj_bias": True, "tokenizer_kwargs": {"clean": "canonicalize"}},
        "init_logit_bias": -10,
        "custom_text": True,
    },
    "tiny-clipa": {"text_cfg": {**PADDED, "tokenizer_kwargs": {"strip_sep_token": True}}},
    "tiny-clips": {"text_cfg": {**READ, "pool_type": "last", "tokenizer_mode": "clips"}},
    "tiny-roberta": {"text_cfg": OF_TRANSFORMERS},
    "tiny-coca": {
        "text_cfg": {**OF_TRANSFORMERS, "width": 32, "output_tokens": True},
        "vision_cfg": {**VISION, "attentional_pool": True, "attn_pooler_queries": 8, "output_tokens": True},
        "multimodal_cfg": {"context_length": 16, "width": 32, "heads": 2, "layers": 1},
        "custom_text": True,
    },
}
"""Networks that read texts with a tokenizer of Hugging Face: as SigLIP, CLIPA, CLIPS, RoBERTa and CoCa do."""

WITH_CLASS_TOKEN = ("tiny", "tiny-bias", "tiny-oblong")
WITHOUT_MAP = ("tiny-mean", "tiny-pool", "tiny-resnet")

TIMM_WITH_CLASS_TOKEN = ("test_vit", "deit_tiny_distilled_patch16_224")
TIMM_ROTARY = "vit_small_patch16_rope_224"
TIMM_WITHOUT_MAP = ("test_vit2", "test_resnet", "test_efficientnet", "test_convnext")
"""Patches pooled by their mean, and convolutional networks."""


def describe(name):
    return {"embed_dim": 32, "vision_cfg": VISION, "text_cfg": TEXT, **(OPEN_CLIP | WITH_TOKENIZERS)[name]}


def register(folder: Path, names=None, *, under=None):
    """Add small networks to open_clip's table; `under` replaces one of the table's own."""
    for name in names or OPEN_CLIP:
        add(folder, under or name, describe(name))


def add(folder: Path, name, stated):
    """Add one network to open_clip's table."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(stated))
    open_clip.add_model_config(file)


def restore(name):
    """Put back what open_clip's table says of a name."""
    open_clip.add_model_config(Path(open_clip.__file__).parent / "model_configs" / f"{name}.json")


def scatter(network, *, seed=0):
    """Give every weight, bias and running value random numbers: fresh networks have many zeros."""
    random = torch.Generator().manual_seed(seed)
    for name, values in network.state_dict().items():
        if values.is_floating_point() and "logit" not in name:
            noise = torch.randn(values.shape, generator=random) * 0.1
            values.add_(noise.abs() if name.endswith("running_var") else noise)
    return network.eval()


def make_open_clip(name, **options):
    torch.manual_seed(0)
    return scatter(open_clip.create_model(name, pretrained_text=False, **options))


def make_timm(name, **options):
    torch.manual_seed(0)
    return scatter(timm.create_model(name, **options))


def save(network, file: Path):
    """Save a network's weights, and return the file."""
    tensors = {name: values.contiguous().clone() for name, values in network.state_dict().items()}
    if file.suffix == ".safetensors":
        save_file(tensors, file)
    else:
        torch.save({"epoch": 1, "state_dict": {f"module.{name}": one for name, one in tensors.items()}}, file)
    return file


def compute_probe_row(pool, tokens):
    """Return the row of a pool of timm in float64, from its weights and what it is called with."""
    pool, tokens = pool.double(), tokens.double()
    with torch.no_grad():
        query = pool.q_norm(pool.q(pool.latent).view(1, 1, pool.num_heads, -1).transpose(1, 2))
        key = pool.kv(tokens)[..., : tokens.shape[-1]].view(*tokens.shape[:2], pool.num_heads, -1)
        weights = query @ pool.k_norm(key.transpose(1, 2)).transpose(-1, -2) * pool.scale
    return weights.softmax(-1)[:, :, 0]
