"""The text tower: small random weights test the computation, the shipped weights test the meaning."""

import subprocess
import sys

import jaxtyping
import pytest
import torch
from torch import nn

from embshift.core.errors import EncoderError, WeightsError
from embshift.core.types import Capture
from embshift.encoders.lite import text as lite_text
from embshift.encoders.lite.text import (
    END,
    HEADS,
    LENGTH,
    PADDING,
    TOKENIZER,
    embed_texts,
    run_text_tower,
    tokenize_texts,
)
from embshift.encoders.lite.weight_file import read_weights

ENTRIES, WIDTH = 4096, 16
LONG = "a " * LENGTH


def drawn(*, blocks=2, ratio=3, dtype=torch.float32):
    random = torch.Generator().manual_seed(3)

    def normal(*shape):
        return torch.randn(shape, generator=random, dtype=dtype) * 0.5

    weights = {
        "text.tokens": normal(ENTRIES, WIDTH),
        "text.positions": normal(LENGTH, WIDTH),
        "text.norm.weight": normal(WIDTH),
        "text.norm.bias": normal(WIDTH),
        "text.projection": normal(256, WIDTH),
    }
    for index in range(blocks):
        for name, out, into in (("qkv", 3, 1), ("out", 1, 1), ("wide", ratio, 1), ("narrow", 1, ratio)):
            weights[f"text.blocks.{index}.{name}.weight"] = normal(out * WIDTH, into * WIDTH)
            weights[f"text.blocks.{index}.{name}.bias"] = normal(out * WIDTH)
        for name in ("norm1", "norm2"):
            weights[f"text.blocks.{index}.{name}.weight"] = normal(WIDTH)
            weights[f"text.blocks.{index}.{name}.bias"] = normal(WIDTH)
    return weights


def torchs_own(weights, *, ratio=3):
    """Return the same tower, built of torch's layers."""
    torchs = {
        "self_attn.in_proj_": "qkv.",
        "self_attn.out_proj.": "out.",
        "linear1.": "wide.",
        "linear2.": "narrow.",
    }
    torchs |= {"norm1.": "norm1.", "norm2.": "norm2."}
    layers = []
    for index in range(2):
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, ratio * WIDTH, dropout=0, activation="gelu", batch_first=True, norm_first=True
        ).double()
        layer.load_state_dict(
            {
                f"{theirs}{part}": weights[f"text.blocks.{index}.{ours}{part}"]
                for theirs, ours in torchs.items()
                for part in ("weight", "bias")
            }
        )
        layers.append(layer)
    norm = nn.LayerNorm(WIDTH).double()
    norm.load_state_dict({"weight": weights["text.norm.weight"], "bias": weights["text.norm.bias"]})
    return layers, norm


def test_tower_equals_one_of_torchs_layers():
    weights = drawn(dtype=torch.float64)
    rows = torch.tensor([[17, 300, 9, END, PADDING, PADDING], [5, 5, 4000, 12, 88, END]])
    layers, norm = torchs_own(weights)
    values = weights["text.tokens"][rows] + weights["text.positions"][:6]
    for layer in layers:
        values = layer(values, src_key_padding_mask=rows == PADDING)
    wanted = norm(torch.stack([values[0, 3], values[1, 5]])) @ weights["text.projection"].T
    torch.testing.assert_close(run_text_tower(rows, weights=weights), wanted)


def test_vectors_have_unit_length():
    found = embed_texts(["a dog", "a black cat on a table.", ""], weights=drawn())
    assert found.shape == (3, 256)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))


def test_neighbours_in_the_batch_change_nothing():
    weights = drawn()
    together = embed_texts(["a dog", LONG], weights=weights)
    torch.testing.assert_close(together[:1], embed_texts(["a dog"], weights=weights))


def test_case_changes_nothing_and_order_does():
    upper, lower, turned = embed_texts(
        ["A Dog ON a table", "a dog on a table", "a table on a dog"], weights=drawn()
    )
    assert torch.equal(upper, lower)
    assert (lower - turned).abs().max() > 1e-3


def test_long_texts_are_cut_before_the_end():
    rows = tokenize_texts([LONG + "dog", LONG + "cat", "dog"], entries=ENTRIES)
    assert rows.shape == (3, LENGTH)
    assert torch.equal(rows[0], rows[1])
    assert rows[0, -1] == END
    assert rows[2].tolist().count(END) == 1
    assert rows[2, -1] == PADDING


@pytest.mark.parametrize("text", ["", "犬", "🐕", "\t\n", "<end>", "naïve café"])
def test_any_text_is_closed_once(text):
    row = tokenize_texts([text], entries=ENTRIES)[0].tolist()
    assert row.count(END) == 1
    assert row[-1] == END
    assert PADDING not in row


def test_no_texts_are_refused():
    with pytest.raises(EncoderError, match="got no texts; expected a list of at least one"):
        embed_texts([], weights=drawn())


def test_one_text_alone_is_refused():
    with pytest.raises(EncoderError, match=r"got one text, 'a dog'; expected a list .*: \['a dog'\]"):
        embed_texts("a dog", weights=drawn())


def test_what_is_no_text_is_named(monkeypatch):
    # As in use, where no checker of types stands before the function's own.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    for strange in (7, None):
        with pytest.raises(
            EncoderError, match=rf"got {strange} among the texts; expected .* each of them a str"
        ):
            embed_texts(["a dog", strange], weights=drawn())


def test_half_a_surrogate_pair_is_named():
    with pytest.raises(EncoderError, match=r"'a \\ud83d', which holds half a surrogate pair"):
        embed_texts(["a dog", "a \ud83d"], weights=drawn())


def test_weights_without_text_side_are_refused():
    with pytest.raises(WeightsError, match=r"no text tower \('text.tokens' is missing\)"):
        embed_texts(["a dog"], weights={})


def test_tokenizer_of_other_weights_is_refused():
    with pytest.raises(WeightsError, match=r"knows 100 tokens, its tokenizer .* has 4096; .*pip install"):
        embed_texts(["a dog"], weights={"text.tokens": torch.zeros(100, WIDTH)})


def test_missing_tokenizer_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(lite_text, "TOKENIZER", tmp_path / "absent.json")
    with pytest.raises(WeightsError, match=r"cannot be read from .*absent\.json .*pip install"):
        embed_texts(["a dog"], weights=drawn())


def test_tokenizer_is_small():
    assert TOKENIZER.stat().st_size < 2**18


def test_tokenizers_are_loaded_late():
    code = "import sys, embshift.encoders.lite.text; sys.exit('tokenizers' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def say():
    weights = read_weights(device="cpu")
    return lambda *texts: embed_texts(texts, weights=weights)


def test_text_tower_is_complete():
    weights = read_weights(device="cpu")
    assert weights["text.projection"].shape[0] == weights["projection"].shape[0]
    assert len(lite_text.list_blocks(weights)) == 3


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("a photo of a dog.", "two dogs on the grass", "a photo of a cat."),
        ("an automobile", "a car.", "a piano"),
        ("an eagle", "a small bird", "a cup of espresso"),
        ("The tennis ball.", "a photo of a tennis ball", "a photo of a violin"),
    ],
)
def test_like_texts_lie_together(say, one, same, other):
    vectors = say(one, same, other)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_sample_photographs_find_their_captions(say, lite, squares, photographs):
    captions = {"cat": "a cat", "dog": "a dog", "espresso": "a cup of espresso", "kingfisher": "a bird"}
    rows = [list(photographs).index(name) for name in captions]
    images = lite.encode(squares[rows], capture=Capture.PIXELS).embedding
    found = (nn.functional.normalize(images, dim=1) @ say(*captions.values()).T).argmax(1)
    assert found.tolist() == [0, 1, 2, 3]
