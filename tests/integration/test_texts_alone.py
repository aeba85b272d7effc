"""Words, labels and captions of runs whose network embshift cannot look inside."""

import csv
import io
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embshift
from embshift.core.errors import EncoderError, NoTextSideError, PlanError, RunError
from embshift.measurement.verify import verify_run
from embshift.runs.explained import find_explained
from embshift.show.report.network import build_network
from embshift.show.run import open_run
from tests.integration.command import invoke
from tests.integration.crops import write_crops
from tests.unit.encoders.forms import own
from tests.unit.encoders.forms.onnx_models import CLIP, write_model

OPTIONS = {"image_size": 32, "workers": 0, "transforms": ["noise", "blur"], "metrics": ["cosine"]}
NAMES = ("cat", "dog", "house")
NETWORK = ("shares", "layers", "heads")


@pytest.fixture(scope="module")
def pictures(samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone") / "in"
    return write_crops(samples, folder, count=8, side=64)


@pytest.fixture(scope="module", params=["onnx", "own"])
def measured(request, pictures, tmp_path_factory):
    """A run by an encoder of another library, and one by a function."""
    folder = tmp_path_factory.mktemp(request.param)
    encoder = own.shrink if request.param == "own" else write_model(folder, settings=CLIP)
    embshift.measure(pictures, encoder=encoder, out=folder / "run", **OPTIONS)
    return folder / "run"


@pytest.fixture
def run(measured, tmp_path):
    return shutil.copytree(measured, tmp_path / "run")


@pytest.fixture
def files(run, pictures, tmp_path):
    """Options with a file of each kind, and the vectors of all texts."""
    captions = {
        str(path): f"picture {at}" for at, path in enumerate(sorted(pictures.rglob("*"))) if path.is_file()
    }
    texts = [*(f"a photo of a {name}" for name in NAMES), *captions.values()]
    vectors = np.random.default_rng(0).normal(size=(len(texts), open_run(run).info["encoder"]["dim"]))
    table = pa.table({"text": texts, "vector": vectors.tolist()})
    pq.write_table(table, tmp_path / "vectors.parquet")
    for name in ("words", "labels"):
        (tmp_path / f"{name}.txt").write_text("\n".join(NAMES) + "\n")
    lines = ["file,caption", *(f"{path},{text}" for path, text in captions.items())]
    (tmp_path / "captions.csv").write_text("\n".join(lines) + "\n")
    endings = {"words": "txt", "labels": "txt", "captions": "csv", "vectors": "parquet"}
    return {name: tmp_path / f"{name}.{ending}" for name, ending in endings.items()}


def give(files, *names):
    return [part for name in (*names, "vectors") for part in (f"--{name}", str(files[name]))]


@pytest.mark.parametrize("show", ["words", "labels", "captions"])
def test_vectors_of_the_users_own_are_all_that_a_table_needs(run, files, show):
    asked = ("explain", str(run), "--show", show)
    found = invoke(*asked, *give(files, show), "--format", "json")
    assert found.returncode == 0, found.stderr
    content = json.loads(found.stdout)
    assert content["texts"]["own_vectors"]
    assert {row["transform"] for row in content[show]} == {"noise", "blur"}
    assert {row["images"] for row in content[show]} == {8}
    assert not find_explained(run)
    assert verify_run(run, inputs=False).sound
    for again in (("--read-only",), (), give(files, show)):
        assert invoke(*asked, *again, "--format", "json").stdout == found.stdout
    written = invoke(*asked, "--format", "csv").stdout
    assert len(list(csv.DictReader(io.StringIO(written)))) == len(content[show])
    header, _, *rows = invoke(*asked, "--format", "markdown").stdout.splitlines()
    assert header.startswith("| transform |")
    assert len(rows) == len(content[show])
    assert "noise" in invoke(*asked).stdout


def test_the_run_object_stores_and_opens_texts(run, files):
    found = open_run(run).store_texts(**files)
    assert found.names("label") == NAMES
    assert found.words().names == NAMES
    assert set(found.labels(resamples=200)) == {"noise", "blur"}
    assert found.captions(resamples=200)["noise"].captioned == 8
    assert open_run(run).texts().words().t.tolist() == found.words().t.tolist()
    with pytest.raises(RunError, match="holds no explanation"):
        open_run(run).explanation()


def test_the_network_stays_refused_and_the_message_names_what_works(run, files):
    for show in NETWORK:
        found = invoke("explain", str(run), "--show", show, "--allow-code", *give(files, "labels"))
        assert found.returncode == 2, show
        assert "not open to embshift" in found.stderr
        assert "--show words, labels or captions, with --vectors FILE" in found.stderr
    with pytest.raises(EncoderError, match="store_texts of the run"):
        open_run(run).explain(allow_code=True)
    assert not (run / "explain").exists()


def test_texts_without_a_text_side_need_vectors(run, files):
    for asked in (("words",), ("labels", "--labels", str(files["labels"]))):
        found = invoke("explain", str(run), "--show", *asked)
        assert found.returncode == 2, asked
        assert (
            "has no text side, so it cannot embed words; use text vectors of your own (--vectors)"
            in " ".join(found.stderr.split())
        )
    with pytest.raises(NoTextSideError):
        open_run(run).store_texts()
    assert not (run / "explain").exists()


def test_texts_that_would_be_missing_are_told_before_any_is_stored(run, files):
    for show in ("words", "labels", "captions"):
        found = invoke("explain", str(run), "--show", show, "--vectors", str(files["vectors"]))
        assert found.returncode == 2, show
        assert f"holds no {show}; store some with" in found.stderr
        assert f"--show {show} --{show} FILE" in " ".join(found.stderr.split())
        found = invoke("explain", str(run), "--show", show, "--read-only")
        assert "holds no words, labels or captions; store some with" in found.stderr
    files["labels"].write_text("cat\ncow\n")
    with pytest.raises(PlanError, match=r"lacks 1 text, e\.g\. 'a photo of a cow'"):
        open_run(run).store_texts(labels=files["labels"], vectors=files["vectors"])
    assert not (run / "explain").exists()


@pytest.mark.parametrize("option", ["--images", "--patch-images", "--seed"])
def test_options_of_the_network_are_refused_beside_texts(run, files, option):
    found = invoke("explain", str(run), "--show", "labels", *give(files, "labels"), option, "3")
    assert found.returncode == 2
    assert f"{option} is given, and labels have no use for it" in found.stderr


def test_a_run_that_is_not_finished_is_refused(run, files):
    path = run / "run.json"
    path.write_text(path.read_text().replace('"finished"', '"running"'))
    with pytest.raises(RunError, match="is not finished; finish the run"):
        open_run(run).store_texts(**files)
    assert not (run / "explain").exists()


def test_the_report_and_figures_show_texts_alone(run, files, tmp_path):
    found = open_run(run).store_texts(**files)
    section = build_network(found.run, resamples=200)
    assert section["title"] == "Words, labels and captions"
    assert [one["title"] for one in section["tables"]] == [
        "Which words name the direction of the shift?",
        "Do views keep their label, of 3 labels?",
        "Do views keep their caption?",
    ]
    assert [one["about"] for one in section["findings"]] == ["words", "labels", "captions"]
    assert [one["name"] for one in section["figures"]] == ["word_bars", "label_flips"]
    assert section["command"] == (
        "embshift explain again --show words --words WORDS --labels LABELS --captions CAPTIONS"
        " --vectors VECTORS"
    )
    assert [one["title"] for one in section["caveats"]] == ["A word is no reason."]
    assert section["card"] is None
    page = open_run(run).report(tmp_path / "report.html").read_text()
    assert "Do views keep their caption?" in page


def test_the_report_of_damaged_texts_says_so(run, files):
    found = open_run(run).store_texts(labels=files["labels"], vectors=files["vectors"])
    path = run / "explain" / "texts.parquet"
    path.write_bytes(b"not a table")
    section = build_network(found.run, resamples=200)
    assert [one["about"] for one in section["findings"]] == ["texts"]
    assert (section["tables"], section["figures"], section["command"]) == ([], [], "")
