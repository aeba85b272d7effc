"""Views written, embedded elsewhere and ingested give the run that the encoder itself would have made."""

import io
import shutil
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import embshift
from embshift.core.errors import EncoderError, PlanError, ResumeError
from embshift.core.types import Capture
from embshift.encoders.open import open_encoder
from tests.integration.command import invoke

SIZE = (64, 64)
METRICS = ["cosine", "l2", "patch_similarity", "edge_similarity", "detail_similarity"]
OPTIONS = {"image_size": SIZE, "transforms": ["blur", "noise"], "draws": 2, "workers": 0}
KEYS = ["image_id", "transform", "severity", "strength", "draw"]
FORMS = ["views.parquet", "views.tar", "views"]


@pytest.fixture(scope="module")
def place(tmp_path_factory, photos):
    """Three photographs, one of them twice, and a file that is no image; and views of them in each form."""
    folder = tmp_path_factory.mktemp("exchange")
    (folder / "photos").mkdir()
    for name in ("cat", "crab", "dog"):
        shutil.copy(photos / f"{name}.jpg", folder / "photos")
    shutil.copy(photos / "cat.jpg", folder / "photos" / "same.jpg")
    (folder / "photos" / "broken.jpg").write_text("no image")
    for form in FORMS:
        embshift.write_views(folder / "photos", out=folder / form, **OPTIONS)
    return folder


def read_views(path):
    """Return keys and pixels as a program of the user's would read them."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        files = table["image"].to_pylist()
    elif path.suffix == ".tar":
        with tarfile.open(path) as archive:
            table = pq.read_table(io.BytesIO(archive.extractfile("keys.parquet").read()))
            files = [archive.extractfile(name).read() for name in table["file"].to_pylist()]
    else:
        table = pq.read_table(path / "keys.parquet")
        files = [(path / name).read_bytes() for name in table["file"].to_pylist()]
    return table, np.stack([np.array(Image.open(io.BytesIO(data))) for data in files])


def embed(pixels):
    encoder = open_encoder("lite", device="cpu")
    padded = np.concatenate([pixels, np.repeat(pixels[-1:], -len(pixels) % 32, axis=0)])
    parts = [
        encoder.encode(padded[at : at + 32], capture=Capture.EMBEDDING) for at in range(0, len(padded), 32)
    ]
    return np.concatenate([part.embedding.numpy() for part in parts])[: len(pixels)]


@pytest.fixture(scope="module")
def vectors(place):
    """The embeddings, in the order of the keys."""
    return embed(read_views(place / "views.parquet")[1])


@pytest.fixture(scope="module")
def mine(place, vectors):
    """The embeddings by key, in another order."""
    table = read_views(place / "views.parquet")[0].select(KEYS)
    table = table.append_column("embedding", pa.array(list(vectors)))
    order = np.random.default_rng(5).permutation(len(table))
    pq.write_table(table.take(order), place / "mine.parquet")
    return place / "mine.parquet"


@pytest.fixture(scope="module")
def usual(place):
    return embshift.measure(
        place / "photos", encoder="lite", metrics=METRICS, out=place / "usual", batch=32, **OPTIONS
    )


@pytest.fixture(scope="module")
def ingested(place, mine):
    return embshift.ingest(place / "views.parquet", embeddings=mine, out=place / "ingested", workers=0)


def assert_same_tables(one, other):
    for name in ("images", "embeddings", "shifts"):
        assert pq.read_table(one / name).equals(pq.read_table(other / name)), name


@pytest.mark.parametrize("form", FORMS)
def test_an_ingested_run_has_the_bits_of_the_usual_one(place, mine, usual, form, tmp_path):
    assert_same_tables(
        usual.folder, embshift.ingest(place / form, embeddings=mine, out=tmp_path / "run", workers=0).folder
    )


def test_worker_processes_change_no_bit(place, mine, usual, tmp_path):
    run = embshift.ingest(place / "views.tar", embeddings=mine, out=tmp_path / "run", workers=2)
    assert_same_tables(usual.folder, run.folder)


def test_rows_of_an_array_are_those_of_the_keys(place, vectors, usual, tmp_path):
    np.save(tmp_path / "mine.npy", vectors)
    run = embshift.ingest(place / "views", embeddings=tmp_path / "mine.npy", out=tmp_path / "run", workers=0)
    assert_same_tables(usual.folder, run.folder)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_same_views(place, form):
    table, pixels = read_views(place / form)
    first, other = read_views(place / "views.parquet")
    assert table.column_names[:6] == [*KEYS, "pixels_digest"]
    assert table.select(range(6)).equals(first.select(range(6)))
    assert np.array_equal(pixels, other)
    assert len(table) == 3 * (1 + 2 * 2), "equal images have their views once"


def test_the_run_says_that_it_was_ingested(ingested):
    encoder = ingested.info["encoder"]
    assert (encoder["family"], encoder["map_name"]) == ("ingested", "")
    assert encoder["name"] == "mine.parquet (ingested)"
    assert ingested.info["plan"]["encoder"] == "ingested:mine.parquet"
    assert ingested.info["ingested"]["views"] == "views.parquet"
    assert "only embshift ingest" in (ingested.folder / "plan.toml").read_text()
    page = ingested.report(ingested.folder / "report.html").read_text(encoding="utf-8")
    assert "The embeddings were ingested." in page


def test_measures_and_figures_are_those_of_the_usual_run(usual, ingested):
    assert ingested.summary().records() == usual.summary().records()
    for name in ("calibration", "retrieval", "direction", "structure"):
        one, other = (getattr(run, name)().records() for run in (usual, ingested))
        assert str(one) == str(other), name
    one, other = (run.figure("l2_bar") for run in (usual, ingested))
    assert one.get_label() == other.get_label().replace("mine.parquet (ingested)", "lite")


def test_the_command_ends_to_end(place, mine, tmp_path):
    told = invoke(
        "views", str(place / "photos" / "c*.jpg"), "--out", str(tmp_path / "v.tar"), "--transform", "blur"
    )
    assert (told.returncode, "4 views of 2 images" in told.stdout) == (0, True)
    with tarfile.open(tmp_path / "v.tar") as archive:
        keys = pq.read_table(io.BytesIO(archive.extractfile("keys.parquet").read()))
    np.save(tmp_path / "mine.npy", np.random.default_rng(1).normal(size=(len(keys), 5)))
    run = (
        "ingest",
        str(tmp_path / "v.tar"),
        "--embeddings",
        str(tmp_path / "mine.npy"),
        "--out",
        str(tmp_path / "r"),
    )
    assert invoke(*run).returncode == 0
    again = invoke(*run)
    assert (again.returncode, "nothing left to do" in again.stderr) == (0, True)
    assert invoke("summarise", str(tmp_path / "r")).returncode == 0
    assert invoke("report", str(tmp_path / "r")).returncode == 0
    checked = invoke("verify", str(tmp_path / "r"))
    assert (checked.returncode, "ingested and cannot be compared" in checked.stdout) == (0, True)


def test_it_cannot_be_explained_or_run(ingested):
    for command in (
        ("explain", str(ingested.folder)),
        ("explain", str(ingested.folder), "--show", "words"),
        ("run", "--plan", str(ingested.folder / "plan.toml"), "--out", str(ingested.folder)),
    ):
        told = invoke(*command)
        assert told.returncode == 2
        assert "computed elsewhere and ingested from mine.parquet" in told.stderr
        assert command[0] != "explain" or "--vectors" in told.stderr


def test_an_interrupted_ingestion_continues(place, mine, usual, tmp_path):
    class Stopped(Exception):
        pass

    class Impatient:
        def note(self, text):
            pass

        def begin(self, *, total, done):
            pass

        def advance(self, *, failed):
            raise Stopped

        def end(self):
            pass

    with pytest.raises(Stopped):
        embshift.ingest(
            place / "views", embeddings=mine, out=tmp_path / "run", workers=0, reporter=Impatient()
        )
    run = embshift.ingest(place / "views", embeddings=mine, out=tmp_path / "run", workers=0)
    assert_same_tables(usual.folder, run.folder)
    with pytest.raises(Stopped):
        embshift.write_views(place / "photos", out=tmp_path / "v", reporter=Impatient(), **OPTIONS)
    assert not (tmp_path / "v").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]


def test_other_embeddings_or_views_are_another_run(place, mine, ingested, vectors, tmp_path):
    table = pq.read_table(mine)
    pq.write_table(table.set_column(5, "embedding", pa.array(list(vectors + 1))), tmp_path / "mine.parquet")
    with pytest.raises(ResumeError, match="the ingested embeddings are not the run's"):
        embshift.ingest(place / "views.parquet", embeddings=tmp_path / "mine.parquet", out=ingested.folder)
    embshift.write_views(place / "photos", out=tmp_path / "views", **OPTIONS | {"seed": 1})
    with pytest.raises(ResumeError, match="seed"):
        embshift.ingest(tmp_path / "views", embeddings=mine, out=ingested.folder)


def test_images_of_memory_can_be_written_and_ingested(tmp_path):
    images = [np.random.default_rng(at).integers(0, 256, (*SIZE, 3), dtype=np.uint8) for at in range(3)]
    written = embshift.write_views(images, out=tmp_path / "v.parquet", **OPTIONS | {"draws": 1})
    np.save(tmp_path / "e.npy", np.eye(written.views, dtype=np.float16))
    ways = {"embeddings": tmp_path / "e.npy", "out": tmp_path / "run"}
    run = embshift.ingest(tmp_path / "v.parquet", **ways)
    assert run.info["counts"]["views"] == 6
    assert embshift.ingest(tmp_path / "v.parquet", **ways).info["counts"] == run.info["counts"]


def test_what_needs_the_place_of_pixels_is_refused(place, mine, tmp_path):
    for metric in ("patch_similarity_aligned", "attention_similarity_aligned"):
        with pytest.raises(PlanError, match="needs to know where each pixel comes from"):
            embshift.ingest(place / "views", embeddings=mine, metrics=[metric], out=tmp_path / "run")
    with pytest.raises(EncoderError, match="needs a map"):
        embshift.ingest(
            place / "views", embeddings=mine, metrics=["attention_similarity"], out=tmp_path / "r"
        )
