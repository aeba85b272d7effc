"""Encoders of a user's own: what they return is what is measured, and what is wrong with them is said."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from embshift.core.encoding import Encoder, Encoding
from embshift.core.errors import EncoderError, PlanError, UsageError
from embshift.core.types import Capture, Field
from embshift.encoders.forms.objects import name_object, open_object
from embshift.encoders.open import find_trust, open_encoder
from tests.unit.encoders.forms import own

ADDRESS = f"{own.__name__}:shrink"


@pytest.fixture(scope="module")
def views():
    return np.random.default_rng(0).integers(0, 256, (5, 45, 64, 3), dtype=np.uint8)


def embed(encoder, views):
    return encoder.encode(views, capture=Capture.EMBEDDING | Capture.ATTENTION)


def test_a_function_gives_what_it_returns(views):
    encoder = open_object(own.shrink, name="mine", device="cpu")
    found = embed(encoder, views)
    assert torch.equal(found.embedding, torch.from_numpy(own.shrink(views)).float())
    assert isinstance(encoder, Encoder)
    assert (encoder.spec.dim, encoder.spec.map_name, found.attention) == (48, "", None)
    assert found.field == (0, 0, 45, 64)


def test_a_module_gives_what_its_own_call_gives(views):
    network = own.network()
    encoder = open_object((network, own.prepare), name="mine", device="cpu")
    with torch.inference_mode():
        wanted = network(torch.stack([own.prepare(Image.fromarray(one)) for one in views]))
    assert torch.allclose(embed(encoder, views).embedding, wanted, atol=1e-6)


@pytest.mark.parametrize("method", ["encode_image", "get_image_features"])
def test_a_module_is_asked_for_images_where_it_reads_texts_too(views, method):
    network = own.network()
    setattr(network, method, lambda inputs: inputs.mean((2, 3)) * 2)
    found = embed(open_object((network, own.prepare), name="mine", device="cpu"), views).embedding
    wanted = torch.stack([own.prepare(Image.fromarray(one)).mean((1, 2)) * 2 for one in views])
    assert torch.allclose(found, wanted, atol=1e-6)


def test_a_processor_and_an_output_with_names_are_read(views):
    class Output:
        image_embeds = None
        pooler_output = torch.ones(1, 4)

    class Network(torch.nn.Module):
        def forward(self, inputs):
            assert inputs.shape[1:] == (3, 32, 32)
            Output.pooler_output = inputs.mean((2, 3))
            return Output()

    def process(image):
        return {"pixel_values": own.prepare(image)[None]}

    found = embed(open_object((Network(), process), name="mine", device="cpu"), views).embedding
    assert found.shape == (5, 3)


def test_an_encoder_is_taken_as_it_is():
    lite = open_encoder("lite", device="cpu")
    assert open_object(lite, name="mine", device="cpu") is lite


def test_an_address_opens_the_object(views):
    encoder = open_encoder(ADDRESS, device="cpu")
    assert encoder.spec.name == ADDRESS
    assert torch.equal(embed(encoder, views).embedding, torch.from_numpy(own.shrink(views)).float())
    assert find_trust(ADDRESS) == "code"
    assert find_trust("lite") == ""


def test_what_a_function_does_to_its_images_does_not_reach_others(views):
    def spoil(images):
        images[:] = 0
        return np.zeros((len(images), 2))

    before = views.copy()
    embed(open_object(spoil, name="mine", device="cpu"), views)
    assert np.array_equal(views, before)


def test_digests_know_code_and_weights():
    def digest(thing):
        return open_object(thing, name="mine", device="cpu").spec.digest

    assert len(digest(own.shrink)) == 64
    assert digest(own.shrink) != digest(lambda images: own.shrink(images))
    first, same, other = (digest((own.network(seed), own.prepare)) for seed in (0, 0, 1))
    assert first == same != other
    # What an object or a closure holds cannot be read.
    held = own.Shifted(1)
    assert digest(held) == digest(lambda images: held(images)) == ""


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (
            lambda images: images.mean((1, 2, 3)),
            r"returned \(1,\) for images \(1, 224, 224, 3\); expected \(1, dim\)",
        ),
        (
            lambda images: np.zeros((1, 4)),
            r"returned \(1, 4\) for images \(5, 45, 64, 3\); expected \(5, dim\)",
        ),
        (lambda images: np.zeros((len(images), 0)), r"expected \(1, dim\)"),
        (lambda images: np.zeros((len(images), len(images))), r"returned \(5, 5\).*expected \(5, 1\)"),
        (lambda images: "cat", "returned a str that is no array of numbers"),
        (lambda images: None, "returned a NoneType that is no array of numbers"),
        (lambda images: 1 / 0, "failed on images .*: ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_embedding_is_refused_with_the_shapes(views, returned, said):
    with pytest.raises(EncoderError, match=f"encoder 'mine' {said}" if said[0] in "rf" else said):
        embed(open_object(returned, name="mine", device="cpu"), views)


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (3, "is an int; expected a function"),
        (own.Shifted, "is the class Shifted; expected a function"),
        (own.network(), "is a torch module alone"),
        ((), "is an empty tuple; expected"),
        ((own.network(),), "is a tuple of a Sequential"),
        ((own.prepare, own.network()), "is a tuple of a function, a Sequential"),
    ],
)
def test_other_objects_are_refused(thing, said):
    with pytest.raises(EncoderError, match=said):
        open_object(thing, name="mine", device="cpu")


@pytest.mark.parametrize(
    ("source", "kind", "said"),
    [
        (f"{own.__name__}:NOT_ONE", EncoderError, "is an int"),
        (f"{own.__name__}:schrink", PlanError, "shrink"),
        ("no.such.module:thing", PlanError, "cannot import no.such.module"),
        ("object", UsageError, "write it as package.module:name"),
    ],
)
def test_wrong_addresses_are_refused(source, kind, said):
    with pytest.raises(kind, match=said):
        open_encoder(source, device="cpu")


@pytest.mark.parametrize("option", [{"precision": "bfloat16"}, {"runtime": "openvino"}])
def test_options_of_the_network_are_refused(option):
    with pytest.raises(EncoderError, match="leave both out"):
        open_encoder(ADDRESS, device="cpu", **option)


class Own:
    """An encoder of the user's own, of which one thing is as asked for."""

    def __init__(self, answer=None, **spec):
        self.spec = replace(open_object(own.shrink, name="mine", device="cpu").spec, **spec)
        self._answer = answer or (lambda views: encoding(torch.zeros(len(views), self.spec.dim)))

    def encode(self, views, /, *, capture):
        return self._answer(views)


def encoding(embedding):
    return Encoding(embedding=embedding, grid=(1, 1), field=Field(0, 0, 1, 1))


def test_a_sound_encoder_of_ones_own_is_taken(views):
    assert embed(open_object(Own(), name="mine", device="cpu"), views).embedding.shape == (5, 48)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda views: encoding(torch.zeros(1, 48)), r"returned \(1, 48\) for images .*; expected \(5, 48\)"),
        (lambda views: encoding(torch.zeros(5, 4)), r"returned \(5, 4\)"),
        (lambda views: encoding(np.zeros((5, 48))), "returned an? ndarray|failed on images"),
        (lambda views: None, "returned a NoneType"),
        (lambda views: 1 / 0, "failed on images .*: ZeroDivisionError"),
    ],
)
def test_wrong_answers_of_an_encoder_are_refused(views, answer, said):
    with pytest.raises(EncoderError, match=said):
        embed(open_object(Own(answer), name="mine", device="cpu"), views)


@pytest.mark.parametrize(
    "spec", [{"dim": "4"}, {"dim": 0}, {"dim": True}, {"name": None}, {"preprocessing": {"a": object()}}]
)
def test_a_spec_that_cannot_be_recorded_is_refused(spec):
    with pytest.raises(EncoderError, match="the spec of encoder 'mine' cannot be used"):
        open_object(Own(**spec), name="mine", device="cpu")


def test_a_spec_that_fails_and_a_class_are_refused():
    class Broken(Own):
        @property
        def spec(self):
            raise ValueError("boo")

        @spec.setter
        def spec(self, value):
            pass

    with pytest.raises(EncoderError, match="cannot be used: boo"):
        open_object(Broken(), name="mine", device="cpu")
    with pytest.raises(EncoderError, match=r"is the class .*Broken"):
        open_object(Broken, name="mine", device="cpu")


def test_numbers_are_taken_in_any_layout_and_complex_ones_refused(views):
    flipped = open_object(lambda images: own.shrink(images)[:, ::-1], name="mine", device="cpu")
    assert torch.equal(
        embed(flipped, views).embedding, torch.from_numpy(own.shrink(views)[:, ::-1].copy()).float()
    )
    with pytest.raises(EncoderError, match="complex numbers"):
        open_object(lambda images: own.shrink(images) * 1j, name="mine", device="cpu")


def test_too_little_memory_is_left_to_whoever_encodes(views):
    def greedy(images):
        if len(images) > 1:
            raise torch.OutOfMemoryError("no")
        return own.shrink(images)

    with pytest.raises(torch.OutOfMemoryError):
        embed(open_object(greedy, name="mine", device="cpu"), views)


def test_names_where_no_address_leads_to_an_object():
    assert name_object(own.Shifted(1)) == "memory:Shifted"
    assert name_object(lambda images: images).startswith("memory:test_names")
