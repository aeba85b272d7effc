"""The contract of the encoder that is a service, against one on this machine."""

import json

import numpy as np
import pytest
import torch

from embshift.core.encoding import Encoder
from embshift.core.types import Capture, Field
from embshift.encoders.open import find_entry, find_trust, open_encoder
from embshift.encoders.service.templates import TEMPLATES
from tests.embedding_service import DIM, embed, serve

ALL = Capture.EMBEDDING | Capture.ATTENTION | Capture.LAYERS | Capture.TOKENS


@pytest.fixture
def service():
    with serve() as running:
        yield running


@pytest.fixture(params=[(32, 32), (37, 53)], ids=["square", "odd"])
def views(request):
    return np.random.default_rng(3).integers(0, 256, (11, *request.param, 3), dtype=np.uint8)


@pytest.fixture
def write_settings(tmp_path, service):
    """Return what writes a file of settings and returns its path."""

    def write(text="", *, quick=True, **settings):
        lines = {"url": service.url, **({"first_wait": 0.001} if quick else {}), **settings}
        body = "\n".join(f"{name} = {json.dumps(value)}" for name, value in lines.items())
        path = tmp_path / "service.toml"
        path.write_text(f"[service]\n{body}\n{text}")
        return str(path)

    return write


def embed_all(views):
    return torch.tensor([embed(one) for one in views], dtype=torch.float32)


def test_it_is_an_encoder_and_states_itself(service):
    encoder = open_encoder(service.url, device="cpu")
    spec = encoder.spec
    assert isinstance(encoder, Encoder)
    assert (spec.name, spec.family, spec.dim, spec.digest) == (service.url, "service", DIM, "")
    assert (spec.map_name, spec.map_source, spec.layers, spec.heads) == ("", "", 0, 0)
    assert (spec.precision, spec.device, spec.runtime) == ("float32", "cpu", "torch")
    assert "may change" in spec.preprocessing["backend"]
    assert spec.preprocessing["url"] == service.url
    json.dumps(dict(spec.preprocessing))


@pytest.mark.parametrize("source", ["http://host/path", "HTTPS://host", "my/service.toml", "service.TOML"])
def test_what_is_written_so_sends_images_away(source):
    assert find_trust(source) == "remote"
    assert find_entry(source).name == "service"


@pytest.mark.parametrize(
    "source", ["lite", "organisation/name", "package.module:name", "folder", "model.onnx"]
)
def test_what_is_written_otherwise_does_not(source):
    assert find_trust(source) != "remote"


def test_embeddings_are_those_of_the_service(service, views):
    encoder = open_encoder(service.url, device="cpu")
    before = views.copy()
    found = encoder.encode(views, capture=ALL)
    assert torch.equal(found.embedding, embed_all(views))
    assert (found.attention, found.layers, found.tokens) == (None, None, None)
    assert found.field == Field(0.0, 0.0, *map(float, views.shape[1:3]))
    assert np.array_equal(views, before)


def test_the_service_gets_the_very_pixels(service, views):
    encoder = open_encoder(service.url, device="cpu")
    service.images.clear()
    encoder.encode(views, capture=Capture.EMBEDDING)
    sent = {image.tobytes() for image in service.images}
    assert {image.shape for image in service.images} == {views.shape[1:]}
    assert sent == {view.tobytes() for view in views}


def test_neighbours_in_a_batch_change_nothing(service, views):
    encoder = open_encoder(service.url, device="cpu")
    together = encoder.encode(views, capture=Capture.EMBEDDING).embedding
    alone = [encoder.encode(views[at : at + 1], capture=Capture.EMBEDDING).embedding for at in (0, 5, 10)]
    assert torch.equal(together[[0, 5, 10]], torch.cat(alone))


def test_repeats_that_fill_up_a_batch_are_not_sent(service, views):
    encoder = open_encoder(service.url, device="cpu")
    service.images.clear()
    padded = np.concatenate([views[:3], np.repeat(views[2:3], 8, axis=0)])
    found = encoder.encode(padded, capture=Capture.EMBEDDING).embedding
    assert len(service.images) == 3
    assert torch.equal(found, embed_all(padded))


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_brings_every_image(service, write_settings, views, name):
    encoder = open_encoder(write_settings(template=name, model="my-model", batch=4), device="cpu")
    assert torch.equal(encoder.encode(views, capture=Capture.EMBEDDING).embedding, embed_all(views))
    assert all(content["model"] == "my-model" for _, _, content in service.requests)
    without = open_encoder(write_settings(template=name), device="cpu")
    assert "model" not in service.requests[-1][2]
    assert without.spec.preprocessing["template"] == name


IMAGE = "data:image/png;base64,"
SHAPES = {
    "input": lambda sent: sent["input"][0]["image"].startswith(IMAGE),
    "jina": lambda sent: not sent["input"][0]["image"].startswith("data:"),
    "infinity": lambda sent: sent["input"][0].startswith(IMAGE) and sent["modality"] == "image",
    "vllm": lambda sent: sent["messages"][0]["content"][0]["image_url"]["url"].startswith(IMAGE),
    "voyage": lambda sent: sent["inputs"][0]["content"][0]["image_base64"].startswith(IMAGE),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_requests_look_as_the_service_of_that_name_expects(service, write_settings, name):
    open_encoder(write_settings(template=name), device="cpu")
    path, headers, sent = service.requests[-1]
    assert path == "/v1/embeddings"
    assert headers["Content-Type"] == "application/json"
    assert SHAPES[name](sent)


def test_a_template_of_ones_own(service, write_settings, views):
    own = """
    body = { instances = "{images}", options = { truncate = false } }
    image = { b64 = "{base64}" }
    answer = "predictions[].values.0"
    """
    service.answer = lambda vectors: {"predictions": [{"values": [one]} for one in vectors]}
    encoder = open_encoder(write_settings(own), device="cpu")
    assert torch.equal(encoder.encode(views, capture=Capture.EMBEDDING).embedding, embed_all(views))
    assert service.requests[-1][2]["options"] == {"truncate": False}
    assert encoder.spec.preprocessing["body"]["instances"] == "{images}"


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("[]", lambda vectors: vectors),
        ("embeddings.float", lambda vectors: {"embeddings": {"float": vectors}}),
        ("embedding", lambda vectors: {"embedding": vectors[0]}),
        ("data[].embedding", lambda vectors: {"data": [{"embedding": one} for one in vectors]}),
    ],
)
def test_answers_of_other_forms(service, write_settings, views, path, form):
    service.answer = form
    batch = 1 if path == "embedding" else 3
    encoder = open_encoder(write_settings(answer=path, batch=batch), device="cpu")
    assert torch.equal(encoder.encode(views, capture=Capture.EMBEDDING).embedding, embed_all(views))


def test_requests_are_of_the_given_size_and_as_many_at_a_time(service, write_settings, views):
    encoder = open_encoder(write_settings(batch=2, concurrency=3), device="cpu")
    service.requests.clear()
    encoder.encode(views, capture=Capture.EMBEDDING)
    assert sorted(len(content["input"]) for _, _, content in service.requests) == [1, 2, 2, 2, 2, 2]
    assert service.most <= 3


def test_parameters_and_query_go_along(service, write_settings):
    text = '[service.parameters]\ndimensions = 5\n[service.query]\nversion = "1 & 2"\n'
    encoder = open_encoder(write_settings(text), device="cpu")
    path, _, content = service.requests[-1]
    assert path == "/v1/embeddings?version=1+%26+2"
    assert content["dimensions"] == 5
    assert encoder.spec.preprocessing["parameters"] == {"dimensions": 5}
