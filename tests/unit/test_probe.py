"""The parts of a run are made by the same arithmetic, or the run says that they are not."""

import json
import os
import subprocess
import sys
from unittest.mock import patch

import numpy as np
import pytest
import torch

from embshift.core.errors import ResumeError
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.probe import check_probe, make_probe_views, measure_probe
from embshift.runs.fields import find_wrong_fields
from tests.faults.sessions import measure, write_pictures
from tests.unit.fake_encoder import FakeEncoder

HERE = {"digest": "a" * 64, "views": 4, "processor": "AVX512"}
THERE = {"digest": "b" * 64, "views": 4, "processor": "AVX2"}


class Nudged(FakeEncoder):
    """Another processor: every embedding differs in its last digit."""

    def _embedding(self, view):
        return torch.nextafter(super()._embedding(view), torch.tensor(torch.inf))


class Restless(FakeEncoder):
    """An encoder whose answers for the same views differ."""

    def encode(self, views, /, *, capture):
        found = super().encode(views, capture=capture)
        return found.each(lambda values: values + 0.01 * len(self.batches))


def run_with(encoder, folder, out, **options):
    with patch("embshift.encoders.open.open_encoder", lambda *_, **__: encoder):
        return measure(folder, out, chunk=3, **options)


@pytest.fixture
def begun(tmp_path):
    """A run whose last chunk is lost."""
    run_with(FakeEncoder(), write_pictures(tmp_path / "in", count=7), tmp_path / "run")
    (tmp_path / "run" / "images" / "chunk-000002.parquet").unlink()
    return tmp_path


def test_views_of_the_probe_are_the_same_everywhere():
    views = make_probe_views(3, (16, 24))
    assert (views.shape, views.dtype) == ((3, 16, 24, 3), np.uint8)
    for view, y, x, channel in np.ndindex(views.shape):
        smooth, rough = (3 + view) * x + 2 * y + 80 * channel, x * y * (7 + view) % 61
        assert views[view, y, x, channel] == (smooth + rough) % 256
    assert len({view.tobytes() for view in views}) == 3


def test_a_few_views_for_torch_and_a_whole_batch_for_what_is_compiled():
    plan, encoder = Plan(batch=32, image_size=(16, 16)), FakeEncoder()
    found = measure_probe(encoder, plan=plan)
    assert found is not None
    assert found["views"] == 4
    assert encoder.batches == [(4, 16, 16, 3)] * 2
    spec = encoder.spec
    with patch.object(
        FakeEncoder, "spec", property(lambda _: type(spec)(**_fields(spec, runtime="openvino")))
    ):
        assert measure_probe(encoder, plan=plan)["views"] == 32


def _fields(spec, **changed):
    return {name: getattr(spec, name) for name in spec.__dataclass_fields__} | changed


def test_an_encoder_whose_answers_differ_has_no_digest():
    assert measure_probe(Restless(), plan=Plan(batch=8))["digest"] is None


def test_views_that_do_not_fit_into_memory_give_no_digest():
    class Full(FakeEncoder):
        def encode(self, views, /, *, capture):
            raise torch.OutOfMemoryError("CUDA out of memory")

    class Broken(FakeEncoder):
        def encode(self, views, /, *, capture):
            raise ValueError("no")

    assert measure_probe(Full(), plan=Plan(batch=8))["digest"] is None
    with pytest.raises(ValueError, match="no"):
        measure_probe(Broken(), plan=Plan(batch=8))


@pytest.mark.parametrize(
    ("before", "now", "recorded"),
    [
        (None, HERE, HERE),
        (None, None, None),
        (HERE, HERE, HERE),
        (HERE, None, HERE),
        ({**HERE, "digest": None}, THERE, {**HERE, "digest": None}),
        (HERE, {**THERE, "digest": None}, HERE),
        ({**HERE, "others": ["b" * 64]}, THERE, {**HERE, "others": ["b" * 64]}),
    ],
)
def test_what_cannot_differ_is_taken(before, now, recorded):
    assert check_probe(before, now, mixed=False) == (recorded, "")


def test_other_arithmetic_is_refused_or_recorded():
    with pytest.raises(ResumeError, match=r"aaaaaaaa there \(AVX512\).*--mixed-hardware"):
        check_probe(HERE, THERE, mixed=False)
    recorded, line = check_probe(HERE, THERE, mixed=True)
    assert recorded == {**HERE, "others": ["b" * 64]}
    assert "bbbbbbbb here (AVX2)" in line


def test_a_run_is_continued_by_the_same_arithmetic_alone(begun):
    before = json.loads((begun / "run" / "run.json").read_text())["probe"]
    assert len(before["digest"]) == 64
    with pytest.raises(ResumeError, match="this machine's arithmetic differs"):
        run_with(Nudged(), begun / "in", begun / "run")
    run = run_with(Nudged(), begun / "in", begun / "run", mixed_hardware=True)
    assert run.info["probe"]["digest"] == before["digest"]
    assert len(run.info["probe"]["others"]) == 1
    again = run_with(Nudged(), begun / "in", begun / "run")
    assert again.info["probe"] == run.info["probe"]


def test_a_run_of_an_earlier_version_has_no_probe_and_gets_none(begun):
    path = begun / "run" / "run.json"
    record = json.loads(path.read_text())
    del record["probe"]
    path.write_text(json.dumps(record))
    assert "probe" not in run_with(Nudged(), begun / "in", begun / "run").info


@pytest.mark.parametrize(
    "wrong", ["text", {}, {**HERE, "views": 0}, {**HERE, "digest": 1}, {**HERE, "others": "b"}]
)
def test_a_record_holds_nothing_else(wrong):
    assert list(find_wrong_fields({"probe": wrong}))
    assert not list(find_wrong_fields({"probe": {**HERE, "others": ["b"]}}))


_CODE = """
from embshift.encoders.open import open_encoder
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.probe import measure_probe
found = measure_probe(open_encoder("lite", device="cpu"), plan=Plan(batch=4, image_size=(64, 64)))
print(found["digest"], found["processor"])
"""


def _probe_under(**environment) -> list[str]:
    command = [sys.executable, "-c", _CODE]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout.split()


def test_other_instructions_show():
    """The processor's own instructions against the oldest ones that torch and oneDNN know."""
    own, again = _probe_under(), _probe_under()
    assert own == again
    older = _probe_under(
        ATEN_CPU_CAPABILITY="default", ONEDNN_MAX_CPU_ISA="SSE41", MKL_ENABLE_INSTRUCTIONS="SSE4_2"
    )
    if own[1] == older[1]:
        pytest.skip(f"this processor has no other instructions than {own[1]}")
    assert own[0] != older[0]
