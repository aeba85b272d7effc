"""A run with --no-embeddings is otherwise the same run; what needs embeddings says why it cannot be had."""

import json
import shutil

import pyarrow as pa
import pytest

import embshift
from embshift.core.errors import NoEmbeddingsError, PlanError
from embshift.measurement.studies.match import measure_matched
from embshift.measurement.studies.sweep import measure_sweep
from tests.faults.test_verify import rewrite
from tests.integration.command import invoke
from tests.integration.tables import assert_identical, read

QUICK = ("--encoder", "lite", "--image-size", "64", "--transform", "blur", "--transform", "noise")
QUICK += ("--metric", "cosine", "--metric", "edge_similarity", "--chunk", "3", "--workers", "0", "--quiet")
REASON = "keeps no embeddings (--no-embeddings); measure the images again with them"


@pytest.fixture(scope="module")
def place(photos, tmp_path_factory):
    """Six photographs and a broken one; a run of them as usual, and one that keeps no embeddings."""
    folder = tmp_path_factory.mktemp("kept")
    shutil.copytree(photos, folder / "in")
    (folder / "in" / "broken.jpg").write_text("no image")
    command = ("run", str(folder / "in"), *QUICK, "--max-error-rate", "1", "--out")
    for name, more in (("with", ()), ("without", ("--no-embeddings",))):
        done = invoke(*command, str(folder / name), *more)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def without(place):
    return embshift.open_run(place / "without")


def test_everything_but_the_vectors_is_the_same(place, without):
    assert_identical(place / "with", place / "without", drop=("embedding",))
    kept = read(place / "without", "embeddings")
    assert kept["embedding"].null_count == len(kept) == 18
    assert without.info["counts"] == embshift.open_run(place / "with").info["counts"]
    assert without.info["counts"]["failed"] == 1
    assert without.info["plan"]["keep_embeddings"] is False
    assert "keep_embeddings" not in embshift.open_run(place / "with").info["plan"]
    assert embshift.verify_run(place / "without").sound


def test_a_smuggled_embedding_is_found(place, tmp_path):
    run = shutil.copytree(place / "without", tmp_path / "run")

    def fill(table):
        at = table.schema.get_field_index("embedding")
        dim = table.schema.field(at).type.list_size
        vectors = pa.array([[1.0] * dim] * len(table), table.schema.field(at).type)
        return table.set_column(at, table.schema.field(at), vectors)

    rewrite(run / "embeddings" / "chunk-000001.parquet", fill)
    (fault,) = embshift.verify_run(run).faults
    assert "embeddings holds embeddings, which a run with --no-embeddings does not keep" in fault.message


@pytest.mark.parametrize(("run", "more"), [("with", ("--no-embeddings",)), ("without", ())])
def test_the_other_setting_is_another_plan(place, run, more):
    done = invoke("run", str(place / "in"), *QUICK, "--out", str(place / run), *more)
    assert done.returncode == 2
    assert "keep_embeddings: " in done.stderr


def test_its_plan_file_repeats_it(place, tmp_path):
    plan = place / "without" / "plan.toml"
    done = invoke(
        "run", "--plan", str(plan), "--out", str(tmp_path / "again"), "--quiet", "--max-error-rate", "1"
    )
    assert done.returncode == 0, done.stderr
    again = embshift.open_run(tmp_path / "again")
    assert (
        again.info["fingerprint"] == json.loads((place / "without" / "run.json").read_text())["fingerprint"]
    )
    assert not again.keeps_embeddings


REFUSED = {
    "compare": ("compare", "RUN", "OTHER"),
    "compare other": ("compare", "OTHER", "RUN"),
    "clusters": ("clusters", "RUN"),
    "card": ("card", "RUN"),
    "check": ("check", "RUN", "--require", "recall_at_1(*) >= 0.1"),
    "check a baseline": (
        "check",
        "OTHER",
        "--baseline",
        "RUN",
        "--require",
        "cosine_shift(*) <= baseline + 1",
    ),
    "budget": ("budget", "RUN", "--out", "OUT/budget.toml"),
    "baseline": ("baseline", "RUN", "--out", "OUT/baseline"),
    "words": ("explain", "RUN", "--show", "words"),
    "labels": ("explain", "RUN", "--show", "labels", "--labels", "folders"),
    "words of shares": ("explain", "RUN", "--images", "2", "--words", "OUT/words.txt"),
    "serve": ("serve", "RUN", "--port", "0"),
    "atlas": ("export", "RUN", "--to", "embedding-atlas", "--out", "OUT/atlas.parquet"),
    "projector": ("export", "RUN", "--to", "projector", "--out", "OUT/projector"),
    **{
        kind: ("summarise", "RUN", "--show", kind)
        for kind in ("calibration", "retrieval", "direction", "structure", "thresholds")
    },
    **{f"figure {name}": ("figures", "RUN", "--only", name) for name in ("dendrogram", "recall_bar")},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_embeddings_says_so(place, tmp_path, name):
    (tmp_path / "words.txt").write_text("blurry\nnoisy\nsharp\n")
    places = {"RUN": place / "without", "OTHER": place / "with"}
    done = invoke(*(str(places.get(one, one)).replace("OUT", str(tmp_path)) for one in REFUSED[name]))
    assert done.returncode == 2
    assert f"{place / 'without'} {REASON}" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["words.txt"]


def test_what_needs_none_works(place, without):
    for arguments in (("summarise",), ("summarise", "--show", "differences"), ("verify",)):
        assert invoke(arguments[0], str(place / "without"), *arguments[1:]).returncode == 0
    other = embshift.open_run(place / "with").scalars()
    found = without.scalars()
    lacking = {name for name in other if name.split("/")[1] in ("relative_shift", "neighbour_ratio", "mrr")}
    lacking |= {name for name in other if "/recall_at_" in name}
    assert {*other} - {*found} == lacking
    assert found["run/left_out"] - other["run/left_out"] == len(lacking) > 0
    assert {name: found[name] for name in found if name != "run/left_out"} == {
        name: other[name] for name in found if name != "run/left_out"
    }


def test_the_other_figures_are_rendered(place, tmp_path):
    names = ("--only", "dendrogram", "--only", "heatmap")
    done = invoke("figures", str(place / "without"), *names, "--out", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["heatmap.png"]
    assert f"dendrogram: {place / 'without'} {REASON}" in done.stderr


def test_report_and_explanation_do_without(place, tmp_path):
    run = shutil.copytree(place / "without", tmp_path / "run")
    done = invoke("explain", str(run), "--images", "2", "--patch", "direct", "--quiet")
    assert done.returncode == 0, done.stderr
    done = invoke("report", str(run))
    assert done.returncode == 0, done.stderr
    page = (run / "report.html").read_text()
    assert "This run keeps no embeddings (--no-embeddings)" in page
    assert "No two different images have different embeddings" not in page


def test_parts_keep_none_either(place, tmp_path):
    run = str(tmp_path / "run")
    prepare = ("run", str(place / "in"), *QUICK, "--no-embeddings", "--max-error-rate", "1", "--prepare")
    assert invoke(*prepare, "--out", run).returncode == 0
    for part in ("0/2", "1/2"):
        done = invoke("work", run, "--part", part, "--workers", "0", "--quiet")
        assert done.returncode == 0, done.stderr
    assert invoke("finish", run).returncode == 0
    assert_identical(place / "without", tmp_path / "run")
    assert embshift.open_run(run).info["counts"] == embshift.open_run(place / "without").info["counts"]


@pytest.mark.parametrize("study", [measure_sweep, measure_matched])
def test_a_study_of_recall_keeps_them(study, photos, tmp_path):
    with pytest.raises(PlanError, match="finds originals by their embeddings; keep them"):
        study(photos, encoder="lite", keep_embeddings=False, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_python_says_so_too(without):
    with pytest.raises(NoEmbeddingsError, match="measure the images again with them"):
        without.embeddings()
    with pytest.raises(NoEmbeddingsError):
        next(without.chunks("embeddings", ["row", "embedding"]))
    assert without.count_views() == (12, 0)
