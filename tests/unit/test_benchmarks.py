"""The benchmark compares equal work, and its table shows every result."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks import forms, timing
from benchmarks.images import write_images
from benchmarks.memory import fit_slope, watch_memory
from benchmarks.plain import compare_pixels, paper_transforms
from benchmarks.report import format_table, make_results
from benchmarks.setting import Setting
from embshift.metrics import METRICS
from embshift.transforms.presets import load_preset

MACHINE = {
    "processor": "A processor",
    "cores": 2,
    "architecture": "x86_64",
    "flags": ["avx2"],
    "memory_bytes": 2**34,
    "system": "Linux",
    "python": "3.11",
    "torch_threads": 2,
    "gpu": None,
    "versions": {"numpy": "2"},
}


def test_plain_loops_compute_the_same_metrics():
    reference, *views = np.random.default_rng(0).integers(0, 256, (4, 64, 48, 3), dtype=np.uint8)
    plain = np.array([compare_pixels(reference, view) for view in views]).T
    names = ("patch_similarity", "edge_similarity", "detail_similarity")
    ours = [METRICS[name].compute(reference, np.stack(views)) for name in names]
    np.testing.assert_allclose(plain, ours, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:ShiftScaleRotate is a special case")
def test_plain_transforms_equal_the_preset():
    preset = {plan.name: plan for plan in load_preset("paper").transforms}
    made = paper_transforms()
    assert list(made) == list(preset)
    for name, thing in made.items():
        assert type(thing).__name__ == preset[name].target
        state = thing.to_dict()["transform"]
        for parameter, value in preset[name].parameters.items():
            found = state.get(parameter, getattr(thing, parameter, None))
            assert np.asarray(found).tolist() == pytest.approx(value), (name, parameter)


def test_images_are_distinct_and_of_one_size(tmp_path):
    paths = write_images(tmp_path, count=40)
    for path in paths:
        with Image.open(path) as image:
            assert image.size == (500, 375)
    assert len({path.read_bytes() for path in paths}) == 40


def test_variants_take_turns_and_ratios_are_within_a_repetition():
    order = []

    def way(name, value):
        return lambda repetition: order.append((name, repetition)) or value * (repetition + 1)

    found = timing.interleave(
        {"plain": way("plain", 6.0), "ours": way("ours", 2.0)}, repetitions=2, warm=False
    )
    assert order == [("plain", 0), ("ours", 0), ("ours", 1), ("plain", 1)]
    times = timing.make_figures("s", found, unit="ms/image", against="plain")
    assert [(each.way, each.values, each.ratios) for each in times] == [
        ("plain", [6.0, 12.0], []),
        ("ours", [2.0, 4.0], [3.0, 3.0]),
    ]
    rates = timing.make_figures("s", found, unit="images/s", against="plain")
    assert rates[1].ratios == pytest.approx([1 / 3, 1 / 3])


def test_table_shows_every_repetition_and_every_goal():
    found = [
        timing.Figure(stage="nine views", way="plain", unit="ms/image", values=[10.0, 12.0]),
        timing.Figure(stage="nine views", way="fast", unit="ms/image", values=[4.0, 3.0], ratios=[2.5, 4.0]),
        timing.Figure(stage="pixel metrics", way="batched", unit="ms/image", values=[3.0], ratios=[7.0]),
        *(
            timing.Figure(stage="greatest memory, main process", way=way, unit="MB", values=[value])
            for way, value in (("64 images", 100.0), ("2000 images", 103.0))
        ),
    ]
    results = make_results(found, settings={"quick": False}, machine=MACHINE, loads=[0.1, 0.2])
    assert json.loads(json.dumps(results)) == results
    text = format_table(results)
    assert "| nine views | fast | 3.5 | ms/image | 3.25 | 4, 3 |" in text
    assert "| fast views against albumentations | ≥ 2.5 | 3.25 | met | 2.5, 4 |" in text
    assert "| pixel metrics against plain loops | ≥ 12 | 7 | missed | 7 |" in text
    assert "from 64 images to 2000 images, main process | < 0.05 | 0.03 | met | 0.03 |" in text
    assert "growth of memory from 64 to 2000 images, workers | < 0.05 |  | not measured |  |" in text
    assert "without AMX (avx2), 16 GiB, Linux, Python 3.11, 2 threads" in text
    assert "Load before and after: 0.1 and 0.2." in text


def test_a_form_whose_library_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    sizes = dict.fromkeys(
        ("repetitions", "few", "plain", "ours", "fast", "memory", "finished", "explained", "many"), 1
    )
    found = forms.measure_forms(Setting(images=[], encoder=tmp_path, folder=tmp_path, **sizes))
    text = format_table(make_results(found, settings={"only": ["forms"]}, machine=MACHINE, loads=[0, 0]))
    assert "- form ONNX, plain loop: onnx and onnxruntime not installed." in text
    assert "- form open_clip, plain loop: open_clip not installed." in text


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's marks are read from /proc")
def test_memory_counts_the_command_and_its_children_only():
    ballast = bytearray(300_000_000)  # this process must not count
    hold = "import time; block = bytearray(120_000_000); time.sleep(0.8)"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    both = f"block = bytearray(60_000_000); {start}"
    assert 120 < watch_memory([sys.executable, "-c", hold]).main < 200
    found = watch_memory([sys.executable, "-c", both])
    assert 60 < found.main < 120
    assert 120 < found.others < 200
    del ballast
    with pytest.raises(subprocess.CalledProcessError):
        watch_memory([sys.executable, "-c", "raise SystemExit(3)"])


def test_growth_ignores_the_first_third():
    samples = [(0, 900.0), (10, 100.0), (20, 110.0), (30, 120.0)]
    assert fit_slope(samples) == pytest.approx(1000.0)
    assert np.isnan(fit_slope(samples[:1]))
