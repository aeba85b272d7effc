"""The same images in a folder and in files that hold them: same rows, ids and values, bit for bit."""

import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import embshift
from embshift.images import list_sources
from embshift.measurement.exchange.reading import open_views
from embshift.measurement.session.parts import Part, finish_parts, measure_one_part
from embshift.measurement.session.trust import NO_TRUST
from embshift.measurement.verify import verify_run
from embshift.runs.schema import TABLES
from tests.faults.sessions import quickly
from tests.integration.command import invoke
from tests.integration.test_parts import Silent
from tests.served import serve_runs

COUNT = 8
OPTIONS = {"encoder": "lite", "transforms": ["noise", "horizontal_flip"], "chunk": 3, "workers": 0}
OPTIONS |= {"keep_views": 2, "image_size": (16, 16), "batch": 4, "metric_sample": 5}
QUICK = ("--encoder", "lite", "--image-size", "16", "--transform", "noise", "--transform", "horizontal_flip")
QUICK += (
    "--chunk",
    "3",
    "--workers",
    "0",
    "--keep-views",
    "2",
    "--batch",
    "4",
    "--metric-sample",
    "5",
    "--quiet",
)


def image_bytes(seed):
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 256, (40 + seed, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(held := io.BytesIO(), "PNG" if seed % 2 else "JPEG")
    return held.getvalue()


NAMES = [f"{at:03d}.{'png' if at % 2 else 'jpg'}" for at in range(COUNT)]


def in_folder(top, count):
    folder = top / "photos"
    folder.mkdir(exist_ok=True)
    for at, name in enumerate(NAMES[:count]):
        if not (folder / name).exists():
            (folder / name).write_bytes(image_bytes(at))
    return folder


def in_tar(top, count):
    with tarfile.open(top / "photos.tar", "w") as archive:
        for at, name in enumerate(NAMES[:count]):
            data = image_bytes(at)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return top / "photos.tar"


def in_parquet(top, count):
    cells = [{"bytes": image_bytes(at), "path": name} for at, name in enumerate(NAMES[:count])]
    columns = {"label": list(range(count)), "image": cells}
    pq.write_table(pa.table(columns), top / "photos.parquet", row_group_size=3)
    return top / "photos.parquet"


def in_arrow(top, count):
    (top / "saved").mkdir(exist_ok=True)
    table = pa.table({"image": [{"bytes": image_bytes(at), "path": None} for at in range(count)]})
    place = str(top / "saved" / "data-00000-of-00001.arrow")
    with pa.OSFile(place, "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    return top / "saved"


def in_csv(top, count):
    in_folder(top, count)
    lines = ["path,caption,id", *(f"photos/{name},photo {name},{name}" for name in NAMES[:count])]
    (top / "list.csv").write_text("\n".join(lines))
    return top / "list.csv"


def in_json_lines(top, count):
    in_folder(top, count)
    lines = [json.dumps({"image": f"photos/{name}", "label": "a"}) for name in NAMES[:count]]
    (top / "list.jsonl").write_text("\n".join(lines))
    return top / "list.jsonl"


PACKINGS = {
    "folder": in_folder,
    "tar": in_tar,
    "parquet": in_parquet,
    "arrow": in_arrow,
    "csv": in_csv,
    "jsonl": in_json_lines,
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    top = tmp_path_factory.mktemp("plain")
    return measure(in_folder(top, COUNT), top / "run")


def measure(source, out, **options):
    with quickly():
        return embshift.measure(source, out=out, **OPTIONS, **options)


def check(run):
    with quickly():
        return verify_run(run)


def tables(run):
    """Return what does not depend on where the images were."""
    places = {"source", "member", "index", "path", "path_bytes", "offset", "length", "column"}
    said = {"source_id", "caption", "label"}
    images = run.images()
    values = {name: run.embeddings(name).values.tobytes() for name in ("original", *run.transforms)}
    return [
        images.select([name for name in images.column_names if name not in places | said]).to_pylist(),
        values,
        run.shifts().to_pylist(),
        run.attention().to_pylist(),
    ]


def chunk_files(run):
    return {(name, path.name): path.read_bytes() for name in TABLES for path in (run / name).glob("chunk-*")}


def views(run):
    return {path.relative_to(run): path.read_bytes() for path in sorted(run.glob("views/*/*.png"))}


@pytest.mark.parametrize("packing", PACKINGS)
def test_the_same_images_are_the_same_run(plain, tmp_path, packing):
    source, out = PACKINGS[packing](tmp_path, COUNT), tmp_path / "run"
    run = measure(source, out)
    assert tables(run) == tables(plain)
    assert views(out) == views(plain.folder)
    verdict = check(out)
    assert (verdict.faults, verdict.inputs) == ((), COUNT)

    before = chunk_files(out)  # what is lost is made again from the listing
    (out / "images" / "chunk-000001.parquet").unlink()
    measure(source, out)
    assert chunk_files(out) == before


@pytest.mark.slow
@pytest.mark.parametrize("packing", PACKINGS)
def test_parts_give_the_same_bytes(tmp_path, packing):
    source, run = PACKINGS[packing](tmp_path, COUNT), tmp_path / "parts"
    measure(source, tmp_path / "run")
    with quickly():
        assert invoke("run", str(source), *QUICK, "--prepare", "--out", str(run)).returncode == 0
        for number in (1, 0):
            part = Part(number=number, count=2)
            measure_one_part(run, part, options={}, trust=NO_TRUST, reporter=Silent())
        finish_parts(run, trust=NO_TRUST, reporter=Silent())
    assert chunk_files(run) == chunk_files(tmp_path / "run")


@pytest.mark.parametrize("packing", PACKINGS)
def test_new_images_are_appended(plain, tmp_path, packing):
    measure(PACKINGS[packing](tmp_path, 5), tmp_path / "run")
    run = measure(PACKINGS[packing](tmp_path, COUNT), tmp_path / "run", update=True)
    wanted = plain.images()["image_id"].to_pylist()
    assert run.images()["image_id"].to_pylist() == wanted
    assert run.embeddings("noise").values.tobytes() == plain.embeddings("noise").values.tobytes()
    assert not check(tmp_path / "run").faults


@pytest.mark.parametrize("packing", ["tar", "parquet"])
def test_the_app_opens_images_where_they_are_packed(tmp_path, packing):
    source = PACKINGS[packing](tmp_path, 3)
    run = embshift.measure(
        source, out=tmp_path / "run", encoder="lite", transforms=["noise"], image_size=(64, 64)
    )
    served = serve_runs(run.folder)
    for row in (2, 0, 1):
        content, _ = served.view(row, "noise").frame
        assert content["recorded"] is True


def test_what_sources_say_is_in_the_tables_and_exports(tmp_path):
    run = measure(in_csv(tmp_path, COUNT), tmp_path / "run")
    images = run.images()
    assert images["caption"].to_pylist() == [f"photo {name}" for name in NAMES]
    assert images["source_id"].to_pylist() == NAMES
    assert images["label"].null_count == COUNT
    assert (
        invoke(
            "export", str(run.folder), "--to", "embedding-atlas", "--out", str(tmp_path / "a.parquet")
        ).returncode
        == 0
    )
    assert set(pq.read_table(tmp_path / "a.parquet")["source_id"].to_pylist()) == set(NAMES)
    assert "label" not in pq.read_table(tmp_path / "a.parquet").column_names


@pytest.mark.parametrize("packing", ["tar", "parquet"])
def test_views_of_packed_images_are_ingested(tmp_path, packing):
    source = PACKINGS[packing](tmp_path, 4)
    views = tmp_path / "views.parquet"
    for _ in range(2):  # the second call finds them
        done = invoke("views", str(source), "--transform", "blur", "--image-size", "16", "--out", str(views))
        assert done.returncode == 0, done.stderr
    with open_views(views) as tables:
        assert list(tables.list_records()) == list(list_sources([source]))
