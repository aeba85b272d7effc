"""Views and embeddings that do not fit, are damaged or come from a stranger: a refusal, or a status."""

import json
import os
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq
import pytest
from PIL import Image

import embshift
from embshift.core.errors import PlanError, SourceError, UsageError
from embshift.images import list_sources
from embshift.measurement.exchange.packing import TAR_INDEX
from embshift.measurement.exchange.reading import open_views
from embshift.measurement.exchange.stored_views import StoredViews
from embshift.measurement.exchange.vectors import read_parts
from tests.integration.command import invoke

OPTIONS = {"image_size": (16, 24), "transforms": ["blur", "noise"], "workers": 0}
VIEWS, DIM = 9, 4


def make_image(seed, shape=(20, 31, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Three images of odd sizes, and their views in each form."""
    folder = tmp_path_factory.mktemp("views")
    (folder / "photos").mkdir()
    for at in range(3):
        Image.fromarray(make_image(at)).save(folder / "photos" / f"{at}.png")
    for form in ("v.parquet", "v.tar", "v"):
        embshift.write_views(folder / "photos", out=folder / form, **OPTIONS)
    return folder


@pytest.fixture
def keys(place):
    return pq.read_table(place / "v" / "keys.parquet")


VECTORS = np.random.default_rng(3).normal(size=(VIEWS, DIM)).astype(np.float32)


def write(path, table, vectors=VECTORS):
    pq.write_table(table.append_column("embedding", pa.array(list(vectors))), path)
    return path


def ingest(place, file, form="v", **options):
    return embshift.ingest(place / form, embeddings=file, out=file.parent / "run", workers=0, **options)


def read_embeddings(run):
    table = pq.read_table(run.folder / "embeddings")
    return table["status"].to_pylist(), table["embedding"].to_pylist()


# Embeddings that fit -----------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [["image_id", "transform", "draw"], ["file"], ["pixels_digest"]])
@pytest.mark.parametrize("suffix", ["parquet", "csv", "lists.csv"])
def test_a_view_is_named_by_key_file_or_digest(place, keys, tmp_path, names, suffix):
    order = np.random.default_rng(1).permutation(VIEWS)
    table, vectors = keys.select(names).take(order), VECTORS[order]
    if suffix == "parquet":
        file = write(tmp_path / "e.parquet", table, vectors)
    else:
        file = tmp_path / f"e.{suffix}"
        if suffix == "csv":
            for at in range(DIM):
                table = table.append_column(f"e{at}", pa.array(vectors[:, at].astype(np.float64)))
        else:
            table = table.append_column("embedding", [[json.dumps(each.tolist()) for each in vectors]])
        pc_csv.write_csv(table, file)
    statuses, found = read_embeddings(ingest(place, file))
    assert statuses == ["ok"] * VIEWS
    assert np.array_equal(np.array(found, np.float32), VECTORS)


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.int32])
def test_an_array_of_any_numbers_becomes_float32(place, tmp_path, kind):
    np.save(tmp_path / "e.npy", (100 * VECTORS).astype(kind))
    _, found = read_embeddings(ingest(place, tmp_path / "e.npy", "v.tar"))
    assert np.array_equal(np.array(found, np.float32), (100 * VECTORS).astype(kind).astype(np.float32))


def test_lacking_and_non_finite_embeddings_are_statuses(place, keys, tmp_path):
    vectors = [*VECTORS]
    vectors[0], vectors[4], vectors[5] = None, np.array([0, np.nan, 0, 0]), np.array([0, 1e300, 0, 0])
    table = keys.append_column("embedding", pa.array(vectors, pa.list_(pa.float64())))
    pq.write_table(table.slice(0, VIEWS - 1), tmp_path / "e.parquet")
    run = ingest(place, tmp_path / "e.parquet")
    expected = ["no_embedding", "ok", "ok", "ok", "non_finite", "non_finite", "ok", "ok", "no_embedding"]
    assert read_embeddings(run)[0] == expected
    assert run.info["counts"]["views_failed"] == 5  # three views, and two whose original lacks its embedding
    shifts = pq.read_table(run.folder / "shifts").to_pydict()
    assert len(set(shifts["image_id"])) == 1, "without an original, and without a view, there is no shift"
    assert set(shifts["transform"]) == {keys["transform"][7].as_py()}


def test_rows_are_as_good_as_their_image_alone(place, keys, tmp_path):
    """Embeddings of one image change no value of another."""
    both = ingest(place, write(tmp_path / "e.parquet", keys))
    other = VECTORS.copy()
    other[:3] = 7
    (tmp_path / "other").mkdir()
    run = ingest(place, write(tmp_path / "other" / "e.parquet", keys, other))
    one, two = (pq.read_table(each.folder / "shifts").to_pylist() for each in (both, run))
    assert [line for line in one if line["row"]] == [line for line in two if line["row"]]


# Embeddings that do not fit ----------------------------------------------------------------------------


def change(table, name, row, value):
    column = table[name].to_pylist()
    column[row] = value
    return table.set_column(table.column_names.index(name), name, pa.array(column, table[name].type))


REFUSED = {
    "twice the same": (
        lambda t: (pa.concat_tables([t, t.slice(2, 1)]), np.concatenate([VECTORS, VECTORS[2:3]])),
        "rows 2 and 9 .* are of one view, with the same embedding",
    ),
    "twice and different": (
        lambda t: (pa.concat_tables([t, t.slice(2, 1)]), np.concatenate([VECTORS, VECTORS[:1]])),
        "rows 2 and 9 .* are of one view, with different embeddings",
    ),
    "unknown image": (
        lambda t: (change(t, "image_id", 4, "f" * 32), VECTORS),
        "row 4 .* names no view: f{32}",
    ),
    "unknown draw": (lambda t: (change(t, "draw", 4, 9), VECTORS), "row 4 .* names no view"),
    "another digest": (
        lambda t: (change(t, "pixels_digest", 5, "0" * 64), VECTORS),
        "row 5 .* states pixels_digest 0{64}, and the view has",
    ),
    "another severity": (lambda t: (change(t, "severity", 5, 3), VECTORS), "row 5 .* states severity 3"),
    "another length": (
        lambda t: (t, [*VECTORS[:6], VECTORS[6, :3], *VECTORS[7:]]),
        "row 6 .* of 3 .* expected 4",
    ),
    "no numbers": (lambda t: (t, [[]] * VIEWS), "row 0 .* of 0 numbers; expected at least 1"),
    "text": (lambda t: (t, ["x"] * VIEWS), "not a list of numbers"),
    "words": (lambda t: (t, [["x"]] * VIEWS), "holds string, not numbers"),
    "nothing": (lambda t: (t, [None] * VIEWS), "not lists of numbers|holds no embedding"),
    "no keys": (
        lambda t: (t.select(["severity"]), VECTORS),
        "expected image_id, transform and draw, or file",
    ),
    "no rows": (lambda t: (t.slice(0, 0), []), "holds no embedding"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_rows_that_do_not_fit_are_refused(place, keys, tmp_path, fault):
    edit, message = REFUSED[fault]
    table, vectors = edit(keys)
    with pytest.raises(UsageError, match=message):
        ingest(place, write(tmp_path / "e.parquet", table, vectors))
    assert not (tmp_path / "run").exists()


FILES = {
    "e.parquet": [b"", b"PAR1", b"PAR1" + b"x" * 99 + b"PAR1", b"text"],
    "e.npy": [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00v\x00{'descr': [", b"PK\x03\x04", b"text"],
    "e.csv": [
        b"",
        b"\n",
        b"image_id\n1\n",
        b"image_id,transform,draw,e0,e2\n",
        b"\xff\xfe\x00",
        "image_id,e0\n".encode("utf-16"),
        b"e0,e0\n1,2\n",
    ],
    "e.h5": [b"HDF"],
}


@pytest.mark.parametrize(("name", "content"), [(name, each) for name, some in FILES.items() for each in some])
def test_other_files_of_embeddings_are_refused(place, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    told = invoke(
        "ingest", str(place / "v"), "--embeddings", str(tmp_path / name), "--out", str(tmp_path / "r")
    )
    assert (told.returncode, told.stderr.count("error: ")) == (2, 1), told.stderr
    assert "Traceback" not in told.stderr


ARRAYS = {
    "rows": (np.zeros((8, 4)), "8 x 4 numbers; expected one row for each of 9 views"),
    "axes": (np.zeros(9), "holds 9 of float64"),
    "no numbers": (np.zeros((9, 0)), "9 x 0 numbers"),
    "complex": (np.zeros((9, 4), complex), "complex128"),
    "objects": (np.full((9, 4), None), "cannot be read as an array"),
}


@pytest.mark.parametrize("fault", ARRAYS)
def test_other_arrays_are_refused(place, tmp_path, fault):
    array, message = ARRAYS[fault]
    np.save(tmp_path / "e.npy", array, allow_pickle=True)
    with pytest.raises(UsageError, match=message):
        ingest(place, tmp_path / "e.npy")


def test_a_folder_or_a_missing_file_holds_no_embeddings(place, tmp_path):
    for file in (tmp_path, tmp_path / "none.npy"):
        with pytest.raises(UsageError, match="is not a file of embeddings"):
            ingest(place, file)


# Views of a stranger -----------------------------------------------------------------------------------


@pytest.fixture
def mine(keys, tmp_path):
    return write(tmp_path / "e.parquet", keys)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"x" * 99 + b"PAR1", b"text", b"\0" * 9999])
@pytest.mark.parametrize("name", ["v.parquet", "v.tar", "v"])
def test_other_files_are_no_views(tmp_path, mine, name, content):
    (tmp_path / name).write_bytes(content)
    told = invoke("ingest", str(tmp_path / name), "--embeddings", str(mine), "--out", str(tmp_path / "r"))
    assert (told.returncode, told.stderr.count("error: ")) == (2, 1), told.stderr
    assert "cannot be read as views" in told.stderr


def test_other_folders_and_tables_are_no_views(tmp_path, mine):
    for path in (tmp_path, tmp_path / "none", mine):
        with pytest.raises(UsageError, match="expected what 'embshift views' has written") as found:
            embshift.ingest(path, embeddings=mine, out=tmp_path / "run")
        assert "b'" not in str(found.value)
        assert "Errno" not in str(found.value)


@pytest.fixture
def copied(place, tmp_path):
    """A copy of the folder of views, to be changed."""
    folder = tmp_path / "copy"
    embshift.write_views(place / "photos", out=folder, **OPTIONS)
    return folder


def rewrite(path, name, row, value):
    pq.write_table(change(pq.read_table(path), name, row, value), path)


def test_a_view_with_other_pixels_is_refused(copied, mine, keys, tmp_path):
    Image.fromarray(make_image(9, (16, 24, 3))).save(copied / keys["file"][4].as_py())
    with pytest.raises(UsageError, match=r"view \w+ 0 of .* is not what its digest says"):
        embshift.ingest(copied, embeddings=mine, out=tmp_path / "run", workers=0)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_refusal_in_a_worker_is_the_same(copied, mine, keys, tmp_path, workers):
    (copied / keys["file"][4].as_py()).write_bytes(b"\x89PNG nothing")
    with pytest.raises(UsageError, match=r"the views of image 1 in .* are damaged"):
        embshift.ingest(copied, embeddings=mine, out=tmp_path / "run", workers=workers)


@pytest.mark.parametrize("where", ["../own.png", "{tmp}/own.png", "link.png", "linked/own.png", ""])
def test_no_file_outside_is_read(copied, mine, keys, tmp_path, where):
    """Not even one that holds the right pixels."""
    (copied / keys["file"][0].as_py()).rename(tmp_path / "own.png")
    os.symlink(tmp_path / "own.png", copied / "link.png")
    os.symlink(tmp_path, copied / "linked")
    rewrite(copied / "keys.parquet", "file", 0, where.format(tmp=tmp_path))
    with pytest.raises(UsageError, match=r"is a link|is no name of a file"):
        embshift.ingest(copied, embeddings=mine, out=tmp_path / "run", workers=0)


@pytest.mark.parametrize("shape", [(17, 24, 3), (16, 24), (3000, 3000, 3)])
def test_a_view_of_another_size_is_not_decoded(copied, mine, keys, tmp_path, shape):
    Image.fromarray(np.zeros(shape, np.uint8)).save(copied / keys["file"][0].as_py())
    with pytest.raises(UsageError, match=r"expected \(24, 16\), RGB"):
        embshift.ingest(copied, embeddings=mine, out=tmp_path / "run", workers=0)


def test_a_file_that_is_too_large_is_not_read(copied, mine, keys, tmp_path):
    with (copied / keys["file"][0].as_py()).open("ab") as file:
        file.truncate(2**40)
    with pytest.raises(UsageError, match="more than 67,072 bytes"):
        embshift.ingest(copied, embeddings=mine, out=tmp_path / "run", workers=0)


TABLES = {
    "count": ("count", 10**6, "are more than the plan's 3"),
    "first": ("first", 10**12, "is not in the table"),
    "negative": ("first", -3, "is not in the table"),
    "status": ("status", "damaged", "3 views of an image whose status is 'damaged'"),
    "digest": ("sha256", "../" * 11, "stands among those of"),
    "failed": ("failed", '[["noise", 0, null, 1.0, "ok", null, "{}", null]]', "stated to be whole"),
    "failed twice": ("failed", '[["noise", 0, null, 1.0, "lost", "", "{}", null]]', "not in the order"),
    "failed kinds": ("failed", '[["noise", "0", null, 1.0, "lost", "", "{}", null]]', "has draw '0'"),
    "nested": ("failed", "[" * 10**5, "nested"),
}


@pytest.mark.parametrize("fault", TABLES)
def test_images_that_contradict_their_views_are_refused(copied, mine, tmp_path, fault):
    name, value, message = TABLES[fault]
    rewrite(copied / "images.parquet", name, 0, value)
    with pytest.raises(UsageError, match=message):
        embshift.ingest(copied, embeddings=mine, out=tmp_path / "run", workers=0)


def edit_about(folder, edit):
    content = json.loads((folder / "views.json").read_text())
    edit(content)
    (folder / "views.json").write_text(json.dumps(content))


ABOUTS = {
    "no plan": lambda c: c.pop("plan"),
    "another version": lambda c: c.update(embshift_views=3),
    "no number": lambda c: c.update(images="3"),
    "counts": lambda c: c.update(views=10),
    "a name": lambda c: c["plan"]["transforms"][0].update(name="../up"),
    "a size": lambda c: c["plan"].update(image_size=[10**9, 10**9]),
    "unknown field": lambda c: c["plan"].update(more=1),
    "code": lambda c: c.update(code={"blur": 3}),
}


@pytest.mark.parametrize("fault", ABOUTS)
def test_a_plan_that_is_none_is_refused(copied, mine, tmp_path, fault):
    edit_about(copied, ABOUTS[fault])
    with pytest.raises(UsageError, match=r"damaged|cannot be read as views"):
        embshift.ingest(copied, embeddings=mine, out=tmp_path / "run", workers=0)


def test_code_that_the_views_name_is_not_imported(copied, mine, tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text("raise SystemExit('it ran')")
    monkeypatch.syspath_prepend(os.fspath(tmp_path))
    edit_about(
        copied,
        lambda c: c["plan"]["transforms"][0].update(kind="function", target="planted:f", parameters={}),
    )
    assert (
        embshift.ingest(copied, embeddings=mine, out=tmp_path / "run", workers=0).info["state"] == "finished"
    )
    plan = (copied / "plan.toml").read_text().replace('registered = "blur"', 'function = "planted:f"')
    plan = plan.replace('albumentations = "GaussianBlur"', 'function = "planted:f"')
    (copied / "plan.toml").write_text(plan)
    if "planted" in plan:
        with pytest.raises(UsageError, match="names Python code"):
            embshift.write_views(tmp_path, plan=copied / "plan.toml", out=tmp_path / "v.tar")


def test_an_archive_that_was_packed_again_is_refused(place, mine, tmp_path):
    with tarfile.open(place / "v.tar") as archive, tarfile.open(tmp_path / "v.tar", "w") as other:
        for member in sorted(archive.getmembers(), key=lambda one: one.name, reverse=True):
            other.addfile(member, archive.extractfile(member))
    with pytest.raises(UsageError, match="packed again"):
        embshift.ingest(tmp_path / "v.tar", embeddings=mine, out=tmp_path / "run")


@pytest.mark.parametrize(
    "places", ['{"keys.parquet": [0, 999999999]}', "{", "[]", '{"views.json": ["a", 1]}', ""]
)
def test_an_index_that_leads_nowhere_is_refused(place, mine, tmp_path, places):
    content = bytearray((place / "v.tar").read_bytes())
    content[512 : 512 + TAR_INDEX] = places.encode().ljust(TAR_INDEX)
    (tmp_path / "v.tar").write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read as views"):
        embshift.ingest(tmp_path / "v.tar", embeddings=mine, out=tmp_path / "run")


# Writing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["v.csv", "v.zip", "v.tar.gz"])
def test_other_kinds_of_files_are_not_written(place, tmp_path, name):
    with pytest.raises(UsageError, match=r"expected a folder, or a file .parquet or .tar"):
        embshift.write_views(place / "photos", out=tmp_path / name, **OPTIONS)


@pytest.mark.parametrize("name", ["v.parquet", "v.tar", "v"])
def test_what_is_no_view_is_never_replaced(place, tmp_path, name):
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "mine").write_text("mine")
    for file in ("v.parquet", "v.tar"):
        (tmp_path / file).write_text("mine")
    with pytest.raises(UsageError, match="exists and holds no views of embshift"):
        embshift.write_views(place / "photos", out=tmp_path / name, **OPTIONS)
    assert [entry.name for entry in (tmp_path / "v").iterdir()] == ["mine"]
    assert (tmp_path / "v.tar").read_text() == (tmp_path / "v.parquet").read_text() == "mine"


def test_views_of_another_plan_are_replaced_in_a_file_and_kept_in_a_folder(place, copied, tmp_path):
    other = OPTIONS | {"seed": 5}
    with pytest.raises(UsageError, match="views of another plan or of other images"):
        embshift.write_views(place / "photos", out=copied, **other)
    file = tmp_path / "v.tar"
    embshift.write_views(place / "photos", out=file, **OPTIONS)
    before = file.read_bytes()
    embshift.write_views(place / "photos", out=file, **other)
    assert file.read_bytes() != before
    embshift.write_views(place / "photos", out=file, **OPTIONS)
    assert file.read_bytes() == before, "the same command gives the same bytes"


def test_a_link_is_not_written_through(place, tmp_path):
    os.symlink(place / "v.tar", tmp_path / "v.tar")
    with pytest.raises(UsageError, match="exists and holds no views"):
        embshift.write_views(place / "photos", out=tmp_path / "v.tar", **OPTIONS | {"seed": 5})


def test_options_of_an_encoder_and_gpu_views_are_refused(place, tmp_path):
    for options, message in (({"encoder": "lite"}, "encoder says nothing"), ({"views": "gpu"}, "views gpu")):
        with pytest.raises(PlanError, match=message):
            embshift.write_views(place / "photos", out=tmp_path / "v", **options)


def test_written_views_are_no_images_of_a_source(place, copied, tmp_path):
    Image.fromarray(make_image(1)).save(tmp_path / "own.png")
    assert [record.member for record in list_sources([tmp_path])] == ["own.png"]


def test_views_of_no_readable_image_are_refused(tmp_path, mine):
    (tmp_path / "photos").mkdir()
    with pytest.raises(SourceError, match="no image"):
        embshift.write_views(tmp_path / "photos", out=tmp_path / "v", **OPTIONS)
    (tmp_path / "photos" / "bad.png").write_text("bad")
    written = embshift.write_views(tmp_path / "photos", out=tmp_path / "v", **OPTIONS)
    assert (written.images, written.failed, written.views) == (1, 1, 0)
    with pytest.raises(UsageError, match="holds no view"):
        embshift.ingest(tmp_path / "v", embeddings=mine, out=tmp_path / "run")


def test_a_transform_that_fails_is_kept_as_a_status(tmp_path):
    def fail(pixels):
        raise ValueError("not this one")

    def copy(pixels):
        return 255 - pixels

    written = embshift.write_views(
        [make_image(1)], out=tmp_path / "v", transforms={"picky": fail, "negative": copy}, image_size=(16, 24)
    )
    assert (written.views, written.views_failed) == (2, 1)
    np.save(tmp_path / "e.npy", np.eye(2))
    run = embshift.ingest(tmp_path / "v", embeddings=tmp_path / "e.npy", out=tmp_path / "run")
    table = pq.read_table(run.folder / "embeddings").select(["transform", "status", "error"]).to_pylist()
    assert [line["status"] for line in table] == ["ok", "transform_failed", "ok"]
    assert "not this one" in table[1]["error"]


def test_many_images_take_several_groups(tmp_path, monkeypatch):
    """Views of an image are found wherever the groups of rows end."""
    images = [make_image(at, (16, 24, 3)) for at in range(40)]
    monkeypatch.setattr("embshift.measurement.exchange.packing.GROUP_ROWS", 4)
    embshift.write_views(images, out=tmp_path / "v.tar", **OPTIONS)
    with open_views(tmp_path / "v.tar") as tables:
        assert tables.keys.num_row_groups == 20
        records = list(tables.list_records())
    read = StoredViews(tmp_path / "v.tar", size=(16, 24), most=3)
    from embshift.core.types import FrozenRow

    for at in (39, 0, 17, 18, 5):
        made = read(FrozenRow(record=records[at], sampled=True, chunk=0))
        assert np.array_equal(made.pixels[0], images[at])
    read.close()


def test_files_do_not_name_the_views_of_a_table(place, keys, tmp_path):
    table = pa.table({"file": [f"{at}.png" for at in range(len(keys))]})
    with pytest.raises(UsageError, match="expected image_id, transform and draw, or pixels_digest"):
        ingest(place, write(tmp_path / "mine.parquet", table), form="v.parquet")


def test_a_header_of_endless_fields_is_refused(place, tmp_path):
    (tmp_path / "mine.csv").write_text("image_id," + "e" * 140_000 + "\n")
    with pytest.raises(UsageError):
        ingest(place, tmp_path / "mine.csv")


def test_rows_without_an_embedding_may_come_first(tmp_path):
    """More of them than are read at once, which leaves the length open until a row has one."""
    lists = [None] * 5_000 + [[1.0, 2.0]]
    table = pa.table({"pixels_digest": [str(at) for at in range(5_001)], "embedding": lists})
    pq.write_table(table, tmp_path / "mine.parquet")
    parts = list(read_parts(tmp_path / "mine.parquet"))
    assert sum(int(part.given.sum()) for part in parts) == 1
    assert parts[-1].vectors[-1].tolist() == [1, 2]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("name", ["embedding", "e0"])
@pytest.mark.parametrize("kind", [pa.null(), pa.float64(), pa.list_(pa.float64())])
def test_a_file_without_any_embedding_is_refused_in_words(place, keys, tmp_path, suffix, name, kind):
    kind = pa.float64() if name == "e0" and pa.types.is_list(kind) else kind
    file, nothing = tmp_path / f"mine.{suffix}", keys.append_column(name, pa.nulls(VIEWS, kind))
    if suffix == "parquet":
        pq.write_table(nothing, file)
    else:
        pc_csv.write_csv(keys.append_column(name, pa.nulls(VIEWS, pa.string())), file)
    message = "holds double, not lists" if (suffix, name, kind) == _WRONG_KIND else "holds no embedding"
    with pytest.raises(UsageError, match=message):
        ingest(place, file)


_WRONG_KIND = ("parquet", "embedding", pa.float64())


@pytest.mark.parametrize("suffix", ["parquet", "csv", "lists.csv"])
def test_a_row_of_nulls_or_empty_fields_has_no_embedding(place, keys, tmp_path, suffix):
    table, file = keys.select(["pixels_digest"]), tmp_path / f"e.{suffix}"
    columns = [[None if row == 4 else float(value) for row, value in enumerate(each)] for each in VECTORS.T]
    columns[1][7] = None
    if suffix == "lists.csv":
        texts = [json.dumps([column[row] for column in columns]) for row in range(VIEWS)]
        texts[4], texts[7] = "", "[0, NaN, 0, 0]"
        table = table.append_column("embedding", [texts])
    else:
        for at, column in enumerate(columns):
            table = table.append_column(f"e{at}", pa.array(column))
    (pq.write_table if suffix == "parquet" else pc_csv.write_csv)(table, file)
    statuses, found = read_embeddings(ingest(place, file))
    assert [statuses[4], statuses[7]] == ["no_embedding", "non_finite"]
    kept = [row for row in range(VIEWS) if statuses[row] == "ok"]
    assert len(kept) == VIEWS - 2
    assert np.array_equal(np.array([found[row] for row in kept], np.float32), VECTORS[kept])


def test_originals_without_an_embedding_are_counted_and_told(place, keys, tmp_path):
    is_view = [name != "original" for name in keys["transform"].to_pylist()]
    file = write(tmp_path / "e.parquet", keys.filter(pa.array(is_view)), VECTORS[is_view])
    out = tmp_path / "run"
    command = ("ingest", str(place / "v"), "--embeddings", str(file), "--out", str(out), "--workers", "0")
    told = invoke(*command)
    assert (told.returncode, "6 of 6 views failed" in told.stderr) == (1, True)
    run = embshift.open_run(out)
    assert run.info["counts"]["views_failed"] == 6
    assert invoke("verify", str(out)).returncode == 0
