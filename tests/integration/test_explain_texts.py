"""Words, labels and captions of an explained run."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embshift
from embshift.cli.options.explain_options import SHOWN as OFFERED
from embshift.cli.options.explain_options import TEXTS, WORST
from embshift.core.errors import NoTextSideError, PlanError, RunError
from embshift.measurement.studies.explain import TextRequest, explain_run
from embshift.measurement.verify import verify_run
from embshift.runs.explained import find_explained, has_texts, read_texts, write_texts
from embshift.show.run import open_run
from embshift.show.text.explained import SHOWN as OF_NETWORK
from embshift.show.text.stored_texts import SHOWN as OF_TEXTS
from tests.integration.command import invoke
from tests.integration.crops import write_crops
from tests.unit.encoders.families import make_checkpoint

OPTIONS = {"image_size": 64, "workers": 0, "transforms": ["noise", "blur"], "metrics": ["cosine"]}


@pytest.fixture(scope="module")
def pictures(samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts") / "in"
    write_crops(samples, folder, count=12, side=64)
    for at, path in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        target = folder / ("cat" if at % 2 else "dog") / f"{at:02d}{path.suffix}"
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    return folder


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    embshift.measure(pictures, encoder="lite", out=out, **OPTIONS)
    return out


@pytest.fixture(scope="module")
def dino(pictures, tmp_path_factory):
    """A run of an encoder without a text side."""
    folder = tmp_path_factory.mktemp("dino")
    embshift.measure(
        pictures, encoder=str(make_checkpoint("dinov2", folder / "encoder")), out=folder / "run", **OPTIONS
    )
    return folder / "run"


def test_what_is_offered_can_be_shown():
    assert (*OF_NETWORK, *OF_TEXTS, WORST) == OFFERED
    assert OF_TEXTS == TEXTS


def test_words_are_stored_by_themselves_and_tested_on_all_images(run):
    result = invoke("explain", str(run), "--show", "words", "--format", "json")
    assert result.returncode == 0, result.stderr
    assert "66 words left out: encoder 'lite' knows words only as far as" in result.stderr
    rows = json.loads(result.stdout)["words"]
    assert len(rows) == 2 * 150
    info = open_run(run).info
    assert not find_explained(run)  # the network was not run
    words = open_run(run).texts().words()
    assert words.images.tolist() == [12, 12]
    # Written from the definition: texts centred, one shift an image.
    texts, _, vectors = read_texts(run, "word", fingerprint=info["fingerprint"])
    centred = vectors.astype(np.float64) - vectors.astype(np.float64).mean(axis=0)
    pairs = open_run(run).pairs()
    (draw,), _ = pairs.views("noise")
    values = (draw.units - pairs.units[draw.at]) @ centred.T
    literal = values.sum(axis=0) / np.sqrt((values**2).sum(axis=0))
    own = {row["word"]: row["t"] for row in rows if row["transform"] == "noise"}
    assert [own[text] for text in texts] == pytest.approx(literal.tolist(), abs=1e-4)
    assert invoke("explain", str(run), "--show", "words").returncode == 0


def test_labels_of_folders_have_a_truth(run):
    explain_run(run, texts=TextRequest(labels="folders"))
    found = open_run(run).explanation()
    for name, one in found.labels(resamples=200).items():
        rate, low, high = one.measure("flip_rate")
        assert 0 <= low <= rate <= high <= 1, name
        assert one.estimates.n.tolist()[-2:] == [12, 12]
    rows = json.loads(invoke("explain", str(run), "--show", "labels", "--format", "json").stdout)["labels"]
    assert {row["measure"] for row in rows} >= {"flip_rate", "accuracy_before", "accuracy_after"}
    # Labels are compared on all images of the run, so the explanation's sample is not named beside them.
    assert "intervals of shares" not in invoke("explain", str(run), "--show", "labels", "--read-only").stdout


def test_labels_of_a_file_need_no_truth(run, tmp_path):
    (tmp_path / "labels.txt").write_text("a cat\na dog\na house\n")
    explain_run(run, texts=TextRequest(labels=tmp_path / "labels.txt", prompts=("a photo of {}", "{}")))
    rows = json.loads(invoke("explain", str(run), "--show", "labels", "--format", "json").stdout)["labels"]
    assert {row["measure"] for row in rows} == {"flip_rate", "margin_drop", "invariance", "divergence"}


def test_captions_belong_to_their_images(run, pictures, tmp_path):
    paths = sorted(path for path in pictures.rglob("*") if path.is_file())
    lines = [f"{path},picture {at} of things" for at, path in enumerate(paths[:5])]
    (tmp_path / "captions.csv").write_text("\n".join(["file,caption", *lines, "nowhere.jpg,nothing"]) + "\n")
    result = invoke("explain", str(run), "--captions", str(tmp_path / "captions.csv"), "--show", "captions")
    assert result.returncode == 0, result.stderr
    assert "1 caption of images that are not in the run are left out" in result.stderr
    found = open_run(run).explanation().captions(resamples=200)["noise"]
    assert found.captioned == 5
    assert found.estimates.n.tolist() == [5, 5, 5]


def test_what_is_stored_stays_until_other_texts_are_asked_for(run, tmp_path):
    (tmp_path / "words.txt").write_text("cat\ndog\n")
    explain_run(run, texts=TextRequest(words=tmp_path / "words.txt"))
    explain_run(run)
    assert open_run(run).explanation().words().names == ("cat", "dog")
    with pytest.raises(RunError, match="holds no labels; store some with"):
        open_run(run).explanation().labels()


def test_damaged_texts_are_found_and_made_again(run):
    explain_run(run, texts=TextRequest())
    for name in ("texts.parquet", "texts.json"):
        path = run / "explain" / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-9] + b"x" + whole[-8:])
        assert {fault.kind for fault in verify_run(run, inputs=False, repair=True).faults} == {
            "explanation broken"
        }
        assert verify_run(run, inputs=False).sound
        explain_run(run)
        assert verify_run(run, inputs=False).sound
    assert len(open_run(run).explanation().words().names) == 150


@pytest.mark.parametrize("lost", ["texts.parquet", "texts.json"])
def test_a_loss_of_one_file_of_the_texts_is_found_and_repaired_at_once(run, tmp_path, lost):
    explain_run(run, texts=TextRequest())
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / "explain" / lost).unlink()
    (fault,) = verify_run(folder, inputs=False, repair=True).faults
    assert f"has lost {lost}; run 'embshift explain' again" in fault.message
    assert verify_run(folder, inputs=False).sound


def test_without_a_text_side_words_are_left_out_in_one_line(dino, tmp_path):
    result = invoke("explain", str(dino), "--format", "csv")
    assert result.returncode == 0, result.stderr
    assert [line for line in result.stderr.splitlines() if line.startswith("no words: ")]
    with pytest.raises(NoTextSideError):
        explain_run(dino, texts=TextRequest(labels="folders"))
    assert invoke("explain", str(dino), "--labels", "folders").returncode == 2


def test_vectors_of_the_users_own(dino, tmp_path):
    dim = open_run(dino).info["encoder"]["dim"]
    rng = np.random.default_rng(0)
    texts = ["a photo of a cat", "a photo of a dog"]
    vectors = [rng.normal(size=dim).tolist() for _ in texts]
    pq.write_table(pa.table({"text": texts, "vector": vectors}), tmp_path / "vectors.parquet")
    (tmp_path / "words.txt").write_text("cat\ndog\n")
    request = TextRequest(
        words=tmp_path / "words.txt", labels="folders", vectors=tmp_path / "vectors.parquet"
    )
    explain_run(dino, texts=request)
    found = open_run(dino).explanation()
    assert found.words().names == ("cat", "dog")
    assert set(found.labels(resamples=200)) == {"noise", "blur"}
    (tmp_path / "words.txt").write_text("cat\ncow\n")
    with pytest.raises(PlanError, match=r"lacks 1 text, e\.g\. 'a photo of a cow'"):
        explain_run(dino, texts=request)


def test_a_list_may_be_as_short_as_two_words(run, tmp_path):
    (tmp_path / "words.txt").write_text("cat\ndog\n")
    result = invoke("explain", str(run), "--words", str(tmp_path / "words.txt"), "--show", "words")
    assert result.returncode == 0, result.stderr
    assert "best 2 words explain" in result.stdout


def test_texts_of_one_kind_stay_where_another_is_asked_for(run, pictures, tmp_path):
    first = min(path for path in pictures.rglob("*") if path.is_file())
    (tmp_path / "captions.csv").write_text(f"file,caption\n{first},a thing\n")
    (tmp_path / "words.txt").write_text("cat\ndog\n")
    explain_run(run, texts=TextRequest(words=tmp_path / "words.txt", labels="folders", prompts=("a {}",)))
    before = open_run(run).explanation().labels(resamples=200)
    explain_run(run, texts=TextRequest(captions=tmp_path / "captions.csv"))
    found = open_run(run).explanation()
    assert found.words().names == ("cat", "dog")
    assert found.captions(resamples=200)["noise"].captioned == 1
    after = found.labels(resamples=200)
    assert after["noise"].estimates.mean.tolist() == before["noise"].estimates.mean.tolist()
    (tmp_path / "words.txt").write_text("cat\ncow\n")
    result = invoke("explain", str(run), "--words", str(tmp_path / "words.txt"))
    assert "stored labels and captions are removed: they have other prompts" in result.stderr
    with pytest.raises(RunError, match="holds no captions"):
        open_run(run).explanation().captions()


def test_texts_that_cannot_be_used_are_told_before_the_network_runs(run, tmp_path):
    fresh = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("explain"))
    (tmp_path / "labels.txt").write_text("cat\n")
    for asked, told in (
        (("--labels", str(tmp_path / "labels.txt")), "1 different labels"),
        (("--show", "labels"), "holds no labels"),
        (("--show", "captions"), "holds no captions"),
        (("--prompt", "a photo"), "0 places"),
    ):
        result = invoke("explain", str(fresh), *asked)
        assert result.returncode == 2, asked
        assert told in result.stderr
        assert not (fresh / "explain").exists()


def test_reading_only_takes_nothing_that_would_be_measured(run, tmp_path):
    explain_run(run)
    for asked in (("--labels", "folders"), ("--prompt", "a {}"), ("--images", "3"), ("--patch-images", "3")):
        result = invoke("explain", str(run), "--read-only", *asked)
        assert result.returncode == 2, asked
        assert f"{asked[0]} is given with --read-only" in result.stderr


def test_a_record_never_stands_beside_other_vectors(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("explain"))
    explain_run(folder, images=1, patch_images=0)
    assert has_texts(folder)
    table = pq.read_table(folder / "explain" / "texts.parquet")
    write_texts(folder, table, fingerprint=open_run(folder).info["fingerprint"])
    assert not has_texts(folder)
    explain_run(folder, images=1, patch_images=0)
    assert has_texts(folder)


def test_labels_and_captions_of_the_sources_stand_in(samples, tmp_path):
    write_crops(samples, tmp_path / "in", count=4, side=64)
    names = sorted(str(path) for path in (tmp_path / "in").rglob("*") if path.is_file())
    said = [
        {"path": name, "label": "cat" if at else "dog", "caption": f"photo {at}"}
        for at, name in enumerate(names)
    ]
    del said[3]["caption"]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, said)))
    run = tmp_path / "run"
    embshift.measure(tmp_path / "list.jsonl", encoder="lite", out=run, metric_sample=2, **OPTIONS)
    sampled = open_run(run).images()["sampled"].to_pylist()
    result = invoke("explain", str(run))
    assert result.returncode == 0, result.stderr
    assert "2 labels of the sources are used; --labels gives others" in result.stderr
    tables = open_run(run).explanation().tables
    assert list(tables.texts("label")[0]) == ["cat", "dog"]
    assert list(tables.texts("truth")[1]) == ["0", "1", "2", "3"]
    assert list(tables.texts("caption")[0]) == [f"photo {at}" for at in range(3) if sampled[at]]
    (tmp_path / "labels.txt").write_text("bird\nfish\n")
    assert invoke("explain", str(run), "--labels", str(tmp_path / "labels.txt")).returncode == 0
    assert list(open_run(run).explanation().tables.texts("label")[0]) == ["bird", "fish"]


def test_more_labels_than_can_be_chosen_from_are_not_used_unasked(tmp_path, monkeypatch):
    from embshift.core.types import FrozenRow, ImageRecord
    from embshift.measurement.studies.explain import source_texts

    rows = [
        FrozenRow(record=ImageRecord(row=at, source="s", member="", label=str(at)), sampled=False, chunk=0)
        for at in range(4)
    ]
    told = []
    reporter = type("Told", (), {"note": lambda self, line: told.append(line)})()
    monkeypatch.setattr(source_texts, "_MOST_LABELS", 3)
    assert source_texts.choose_labels(rows, None, unasked=True, reporter=reporter) is None
    assert told == ["4 labels of the sources are not used; --labels takes as many"]
    assert source_texts.choose_captions(rows, None, unasked=True, reporter=reporter) is None
    monkeypatch.setattr(source_texts, "_MOST_LABELS", 4)
    assert source_texts.choose_labels(rows, None, unasked=False, reporter=reporter) is None
