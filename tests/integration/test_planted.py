"""What is planted in a network is found: one head that reacts to a pattern, in one patch, along one word.

The same images, views, words and commands serve an encoder with the plant and one without it.
"""

import json

import numpy as np
import pytest

import embshift
from tests.integration.command import invoke
from tests.integration.planted import (
    HEAD,
    OTHER_PATCH,
    PATCH,
    WORD,
    write_images,
    write_planted,
    write_vectors,
)

IMAGES = 16
PRESET = """
name = "planted"
summary = "a pattern in a patch, which one head reacts to"

[[transform]]
name = "stamp"
function = "tests.integration.planted:stamp"
"""


@pytest.fixture(scope="module")
def explain(tmp_path_factory):
    """Return what measures and explains, with the commands, an encoder with or without the plant."""
    folder = tmp_path_factory.mktemp("planted")
    photos = write_images(folder / "in", IMAGES)
    words, vectors, preset = (folder / name for name in ("words.txt", "vectors.parquet", "preset.toml"))
    words.write_text("\n".join(write_vectors(vectors)) + "\n")
    preset.write_text(PRESET)

    def made(*, plant):
        run = folder / ("with" if plant else "without")
        encoder = write_planted(folder / f"encoder {run.name}", plant=plant)
        options = ("--image-size", "32", "--metric", "cosine", "--workers", "0", "--quiet")
        measured = invoke(
            "run",
            str(photos),
            "--encoder",
            str(encoder),
            "--preset",
            str(preset),
            "--out",
            str(run),
            *options,
        )
        assert measured.returncode == 0, measured.stderr
        texts = ("--words", str(words), "--vectors", str(vectors), "--quiet")
        explained = invoke("explain", str(run), *texts, "--allow-code", "--format", "json")
        assert explained.returncode == 0, explained.stderr
        return run, json.loads(explained.stdout)["shares"]

    return made


@pytest.fixture(scope="module")
def planted(explain):
    return explain(plant=True)


@pytest.fixture(scope="module")
def bare(explain):
    return explain(plant=False)


def largest(shares):
    """The component of the largest share, of those whose interval excludes 0."""
    certain = [row for row in shares if row["joint_low"] > 0 or row["joint_high"] < 0]
    return max(certain, key=lambda row: row["share"])


def places(run):
    found = embshift.open_run(run).explanation()
    changes = [found.map("stamp", row).change for row in range(IMAGES)]
    return {tuple(int(at) for at in np.unravel_index(one.argmax(), one.shape)) for one in changes}


def named(run):
    rows = json.loads(
        invoke("explain", str(run), "--read-only", "--show", "words", "--format", "json").stdout
    )["words"]
    return {row["word"] for row in rows if row["named"] and row["mean"] > 0}


def test_the_planted_head_has_the_largest_share_and_its_exchange_undoes_the_shift(planted):
    found = largest(planted[1])
    assert found["component"] == HEAD
    assert found["share"] > 0.7
    assert found["recovered"] > 0.7
    assert found["recovered_low"] > 0.5
    assert embshift.open_run(planted[0]).explanation().shares("stamp").largest()[0] == HEAD


def test_the_shift_comes_from_the_planted_patch(planted):
    assert places(planted[0]) == {PATCH}


def test_the_planted_word_alone_is_named(planted):
    assert named(planted[0]) == {WORD}


def test_without_the_plant_none_of_it_is_found(bare):
    run, shares = bare
    assert largest(shares)["component"] != HEAD
    assert places(run) == {OTHER_PATCH}
    assert named(run) == set()
