"""What a run leaves out is said at its start and recorded."""

import shutil

import numpy as np
import pytest
from PIL import Image

import embshift
from embshift.core.progress import Silent

QUICK = {"encoder": "lite", "image_size": 32, "transforms": ["blur"], "metrics": ["cosine"], "workers": 0}


class Told(Silent):
    """Keeps what is said."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def photos(samples, tmp_path, monkeypatch):
    """A folder of two images and a HEIC file, which is the working folder."""
    for name in ("cat.jpg", "dog.jpg"):
        shutil.copy(samples / name, tmp_path / name)
    (tmp_path / "shot.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_second_run_does_not_measure_the_first_ones_views(photos):
    for out, runs in ((None, ""), ("other", "1 folder"), ("third", "2 folders")):
        told = Told()
        run = embshift.measure(".", out=out, reporter=told, **QUICK)
        assert len(run.images()) == 2
        assert told.notes[0].startswith("2 images found")
        assert (f"{runs} left out: a run folder" in "\n".join(told.notes)) == bool(runs)
    again = embshift.measure(".", out="other", update=True, reporter=told, **QUICK)
    assert len(again.images()) == 2


def test_dark_images_of_16_bits_are_told_with_the_range_that_helps(tmp_path):
    values = np.linspace(0, 4000, 64 * 64).astype(np.uint16).reshape(64, 64)
    Image.fromarray(values).save(tmp_path / "twelve-bits.png")
    told = {}
    for out, given in (("dark", {}), ("bright", {"value_range": [0, 4095]})):
        told[out] = Told()
        embshift.measure(
            tmp_path / "twelve-bits.png", out=tmp_path / out, reporter=told[out], **QUICK, **given
        )
    assert told["dark"].notes[-1] == (
        "1 image with 16 bits a pixel, dark: their values reach 4,000 of 65,535;"
        " --value-range 0,4095 spreads them, into another run folder"
    )
    assert not any("16 bits" in note for note in told["bright"].notes)


def test_it_is_said_and_recorded(photos):
    told = Told()
    run = embshift.measure(".", out="run", reporter=told, **QUICK)
    assert any(line.startswith("1 file left out: HEIC") for line in told.notes)
    assert [(one["kind"], one["count"], one["first"]) for one in run.info["left_out"]] == [
        ("file", 1, ["shot.HEIC"])
    ]
