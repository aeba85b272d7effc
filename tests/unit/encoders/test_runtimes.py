"""Compiled torch and OpenVINO give the numbers of torch, whatever is captured."""

import sys

import numpy as np
import pytest
import torch

from embshift.core.errors import EncoderError, MissingExtraError
from embshift.core.types import Capture
from embshift.encoders.open import open_encoder
from embshift.encoders.speed.program import trace_program
from embshift.encoders.speed.runtimes import Programs
from tests.unit.encoders.families import make_checkpoint

ALL = Capture.EMBEDDING | Capture.ATTENTION | Capture.LAYERS
# A graph has a fixed shape, which a NaFlex encoder (siglip2) has not.
# Every other kind computes as one of these.
TRACEABLE = ["lite", "clip", "siglip", "dinov2-registers", "dinov3", "aimv2", "aimv2-headless", "vit"]


def mark_slow(names, *, quick=("clip",)):
    """Return parameters in which all names except the quick ones are marked as slow."""
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


def drawn(count, *, source, seed=3):
    side = 64 if source == "lite" else 32
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def compute_sine(inputs, /, *, capture):
    """Run a forward pass that is quick to compile."""
    del capture
    return (inputs["values"].sin(),)


def assert_same(found, wanted, *, close):
    assert found.grid == wanted.grid
    for name in ("embedding", "attention", "layers"):
        here, there = getattr(found, name), getattr(wanted, name)
        assert (here is None) == (there is None)
        if here is not None:
            assert here.dtype == torch.float32
            torch.testing.assert_close(here, there, rtol=close, atol=close)


@pytest.mark.parametrize("name", mark_slow(TRACEABLE))
def test_openvino_gives_what_torch_gives(tmp_path, name):
    source = "lite" if name == "lite" else str(make_checkpoint(name, tmp_path / name))
    views = drawn(8, source=source)
    plain = open_encoder(source, device="cpu")
    found = open_encoder(source, device="cpu", runtime="openvino")
    assert (plain.spec.runtime, found.spec.runtime) == ("torch", "openvino")
    for capture in (Capture.EMBEDDING, ALL):
        assert_same(found.encode(views, capture=capture), plain.encode(views, capture=capture), close=2e-5)
    order = [3, 1, 0, 2, 7, 6, 5, 4]
    turned, straight = (found.encode(each, capture=ALL) for each in (views[order], views))
    assert torch.equal(turned.embedding, straight.embedding[order])
    assert torch.equal(turned.attention, straight.attention[order])


@pytest.mark.parametrize("name", mark_slow(["lite", "clip", "siglip"]))
def test_openvino_in_bfloat16_is_near(tmp_path, name):
    source = "lite" if name == "lite" else str(make_checkpoint(name, tmp_path / name))
    views = drawn(8, source=source)
    plain = open_encoder(source, device="cpu").encode(views, capture=ALL)
    found = open_encoder(source, device="cpu", runtime="openvino", precision="bfloat16")
    seen = found.encode(views, capture=ALL)
    error = (seen.embedding - plain.embedding).norm(dim=1) / plain.embedding.norm(dim=1)
    assert error.max() < 0.2
    assert seen.attention.dtype == torch.float32
    assert found.spec.precision == "bfloat16"


def test_openvino_keeps_its_results_apart():
    programs = Programs(compute_sine, runtime="openvino", device="cpu", precision="float32")
    (first,) = programs.run({"values": torch.arange(4.0)}, capture=Capture.EMBEDDING)
    kept = first.clone()
    (second,) = programs.run({"values": torch.ones(4)}, capture=Capture.EMBEDDING)
    assert torch.equal(first, kept)
    assert not torch.equal(first, second)


def test_openvino_reports_to_nobody():
    open_encoder("lite", device="cpu", runtime="openvino")
    assert sys.modules["openvino_telemetry"] is None


def test_openvino_refuses_what_it_does_not_do():
    with pytest.raises(EncoderError, match="cannot compute in float16; use float32 or bfloat16"):
        open_encoder("lite", device="cpu", runtime="openvino", precision="float16")


def test_openvino_runs_on_a_cpu():
    with pytest.raises(EncoderError, match="'openvino' cannot run on cuda:0; use --device cpu"):
        Programs(lambda inputs, /, *, capture: (), runtime="openvino", device="cuda:0", precision="float32")


def test_without_openvino_the_install_line_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'embshift\[openvino\]'"):
        open_encoder("lite", device="cpu", runtime="openvino")


@pytest.mark.parametrize("runtime", ["compiled", "openvino"])
def test_naflex_stays_in_torch(tmp_path, runtime):
    source = str(make_checkpoint("siglip2", tmp_path / "siglip2"))
    with pytest.raises(EncoderError, match=f"runtime '{runtime}' cannot run a NaFlex encoder"):
        open_encoder(source, device="cpu", runtime=runtime)


def test_a_pooling_head_is_not_compiled(tmp_path):
    source = str(make_checkpoint("siglip", tmp_path / "siglip"))
    with pytest.raises(EncoderError, match="a view's embedding would depend on its place"):
        open_encoder(source, device="cpu", runtime="compiled")


def test_an_unknown_runtime_is_refused():
    with pytest.raises(EncoderError, match="unknown runtime 'onnx'; use one of torch, compiled, openvino"):
        open_encoder("lite", device="cpu", runtime="onnx")


def test_a_missing_compiler_is_reported_at_once(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(EncoderError, match=r"torch cannot compile here .*No working C\+\+ compiler.*g\+\+"):
        open_encoder("lite", device="cpu", runtime="compiled")


@pytest.mark.parametrize(
    "name",
    mark_slow(TRACEABLE, quick=("clip", "siglip")),
)
def test_a_traced_graph_gives_what_its_python_gives(tmp_path, name, monkeypatch):
    source = "lite" if name == "lite" else str(make_checkpoint(name, tmp_path / name))
    views = drawn(4, source=source)
    plain = open_encoder(source, device="cpu").encode(views, capture=ALL)

    def build(program, inputs):
        graph = trace_program(program, inputs).module()
        return lambda given: graph(*given.values())

    monkeypatch.setattr("embshift.encoders.speed.runtimes.choose_build", lambda *_, **__: build)
    traced = open_encoder(source, device="cpu")
    assert_same(traced.encode(views, capture=ALL), plain, close=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_programs_are_kept_by_shape(monkeypatch):
    compiled, compile_graph = [], torch.compile
    programs = Programs(compute_sine, runtime="compiled", device="cpu", precision="float32")
    monkeypatch.setattr(torch, "compile", lambda *a, **o: compiled.append(1) or compile_graph(*a, **o))
    for values in (torch.arange(4.0), torch.ones(4), torch.ones(5)):
        (found,) = programs.run({"values": values}, capture=Capture.EMBEDDING)
        torch.testing.assert_close(found, values.sin())
    assert compiled == [1, 1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_compiled_gives_what_torch_gives(tmp_path, precision):
    source = str(make_checkpoint("clip", tmp_path / "clip"))
    views = drawn(8, source=source)
    plain = open_encoder(source, device="cpu", precision=precision).encode(views, capture=ALL)
    encoder = open_encoder(source, device="cpu", runtime="compiled", precision=precision)
    found = encoder.encode(views, capture=ALL)
    assert_same(found, plain, close=2e-5 if precision == "float32" else 0.15)
    order = [3, 1, 0, 2, 7, 6, 5, 4]
    assert torch.equal(encoder.encode(views[order], capture=ALL).embedding, found.embedding[order])
