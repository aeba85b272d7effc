"""The contract of every text side, on a small checkpoint of each kind and on the bundled encoder."""

import dataclasses
import json
import math
import string

import pytest
import torch
import transformers

from embshift.core.errors import EncoderError
from embshift.encoders.lite.text import embed_texts
from embshift.encoders.lite.weight_file import read_weights
from embshift.encoders.open import open_encoder
from embshift.encoders.texts.open import open_texts
from tests.unit.encoders.families import reference_network
from tests.unit.encoders.text_families import TEXT_FAMILIES, make_text_checkpoint

CONTEXT = 12
TEXTS = ["a dog", "a blurry dog", "Cat!", "fog on a dog"]
LONG = "abcdefghij" * 3


@pytest.fixture(scope="module", params=[*TEXT_FAMILIES, "lite"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def source(family, tmp_path_factory):
    if family == "lite":
        return "lite"
    return str(make_text_checkpoint(family, tmp_path_factory.mktemp("texts") / family))


@pytest.fixture(scope="module")
def texts(source):
    return open_texts(source, device="cpu")


def library_tokens(family, source, given):
    """Return the token numbers as the library's processor of the family makes them."""
    if (
        family == "siglip"
    ):  # the library's class needs sentencepiece: its canonical text, written a second time
        given = [
            " ".join("".join(sign for sign in one.lower() if sign not in string.punctuation).split())
            for one in given
        ]
        tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(source)
    else:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    padding = "max_length" if family.startswith("siglip") else True
    found = tokenizer(given, padding=padding, truncation=True, max_length=CONTEXT, return_tensors="pt")
    return dict(found) if not family.startswith("siglip") else {"input_ids": found["input_ids"]}


def library_vectors(family, source, given):
    if family == "lite":
        return embed_texts(given, weights=read_weights(device="cpu"))
    with torch.inference_mode():
        tokens = library_tokens(family, source, given)
        return reference_network(family).get_text_features(**tokens).pooler_output


def test_vectors_are_the_library_s(texts, family, source):
    given = [*TEXTS, LONG]
    found, expected = texts.encode_texts(given), library_vectors(family, source, given)
    if family == "lite":  # its function returns vectors of length 1
        assert not torch.allclose(found.norm(dim=1), torch.ones(5)), "raw vectors"
        found = torch.nn.functional.normalize(found, dim=1)
    assert found.dtype == torch.float32
    assert ((found - expected).norm(dim=1) / expected.norm(dim=1)).max() < 1e-6
    assert (found.std(dim=0) > 1e-3).any(), "texts must differ for this to show anything"


def test_it_states_what_the_checkpoint_states(texts, family, source):
    image = open_encoder(source, device="cpu").spec
    spec = texts.spec
    json.dumps(dataclasses.asdict(spec))
    assert (spec.family, spec.dim, spec.digest, spec.name) == (image.family, image.dim, image.digest, source)
    assert len(spec.tokenizer) == 64
    if family == "lite":
        return
    network = reference_network(family)
    assert spec.scale == pytest.approx(math.exp(float(network.logit_scale.detach())), rel=1e-6)
    assert spec.bias == (float(network.logit_bias.detach()) if family.startswith("siglip") else None)
    assert spec.context_length == CONTEXT


def test_a_vector_does_not_depend_on_its_neighbours(texts):
    alone = [texts.encode_texts([text])[0] for text in TEXTS]
    for row, other in zip(texts.encode_texts([*TEXTS, LONG]), alone, strict=False):
        assert torch.equal(row, other)
    assert torch.equal(texts.encode_texts(TEXTS[::-1]).flip(0), texts.encode_texts(TEXTS))


def test_what_is_cut_is_counted(texts):
    longest = " ".join(["zebra"] * 40)
    assert texts.count_cut(["a dog"]) == 0
    assert texts.count_cut(["a dog", longest, longest]) == 2
    assert torch.equal(*texts.encode_texts([longest, f"{longest} dog"]))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "got no texts"),
        ("a dog", r"got one text, 'a dog'; expected a list .*: \['a dog'\]"),
        (["a dog", ""], "got '' among the texts, which is empty"),
        (["  "], "which is empty"),
        (["a \ud83d"], "half a surrogate pair"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(texts, given, told):
    for ask in (texts.encode_texts, texts.count_cut):
        with pytest.raises(EncoderError, match=told):
            ask(given)
