"""A run records how its views were made and its images decoded, and is not continued in another way."""

import json

import pytest

import embshift
from embshift.core.errors import ResumeError
from tests.integration.command import invoke
from tests.integration.tables import ordered

QUICK = ("--encoder", "lite", "--image-size", "64", "--metric", "cosine", "--metric", "patch_similarity")


@pytest.fixture(scope="module")
def fast_run(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "fast"
    chosen = ("--transform", "noise", "--transform", "blur", "--transform", "identity")
    ways = ("--views", "fast", "--decode", "scaled")
    return invoke("run", str(photos), *QUICK, *chosen, *ways, "--out", str(out)), out


def digests(folder, transform):
    rows = ordered(folder, "embeddings").to_pylist()
    return [row["pixels_digest"] for row in rows if row["transform"] == transform]


def test_the_run_names_what_has_no_fast_form(fast_run):
    result, _ = fast_run
    assert result.returncode == 0, result.stderr
    said = " ".join(result.stderr.split())
    assert "views fast: no fast form of identity; rendered as with --views reference" in said


def test_only_what_has_another_law_of_rounding_changes(fast_run, photos, tmp_path):
    chosen = ("--transform", "noise", "--transform", "blur")
    result = invoke("run", str(photos), *QUICK, *chosen, "--decode", "scaled", "--out", str(tmp_path / "run"))
    assert result.returncode == 0, result.stderr
    reference = {name: digests(tmp_path / "run", name) for name in ("original", "noise", "blur")}
    assert reference["original"] == digests(fast_run[1], "original")
    assert reference["blur"] == digests(fast_run[1], "blur")
    assert not set(reference["noise"]) & set(digests(fast_run[1], "noise"))


def test_the_plan_is_recorded(fast_run):
    plan = json.loads((fast_run[1] / "run.json").read_text())["plan"]
    assert (plan["views"], plan["decode"]) == ("fast", "scaled")


@pytest.mark.parametrize(("option", "said"), [("views", "fast"), ("decode", "scaled")])
def test_another_way_is_refused(fast_run, photos, option, said):
    ways = {"views": "fast", "decode": "scaled"}
    del ways[option]
    with pytest.raises(ResumeError, match=f"{option}: {said} in the run, (reference|full) requested"):
        embshift.measure(
            photos,
            encoder="lite",
            image_size=64,
            metrics=["cosine", "patch_similarity"],
            transforms=["noise", "blur", "identity"],
            out=fast_run[1],
            **ways,
        )
