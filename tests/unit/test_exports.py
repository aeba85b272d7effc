"""What an export holds: the run's own numbers, in the columns and fields that the tools ask for."""

import base64
import io
import json
import shlex
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from embshift.analysis.embeddings.pairs import unit_vectors
from embshift.core.errors import StorageError, UsageError
from embshift.runs import target_folders
from embshift.runs.target_folders import MARKER
from embshift.show.handover import points as gathered
from embshift.show.handover.export import export
from embshift.show.handover.exporters import embedding_atlas
from embshift.show.handover.points import gather_points
from embshift.show.handover.projection import project
from tests import synthetic_runs
from tests.synthetic_runs import Wanted, make_run

AWKWARD = ("a\ttab.jpg", "a\nline.jpg", 'quote".jpg', "ünï.jpg")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Five images, some with awkward names, and one metric that is undefined for one transform."""
    wanted = Wanted(
        images=5,
        transforms=("blur", "noise"),
        metrics=("cosine", "l2"),
        draws=2,
        members=AWKWARD,
        undefined=(("blur", "l2"),),
    )
    return make_run(tmp_path_factory.mktemp("run") / "run", wanted)


# points ---------------------------------------------------------------------------------------------------


def test_points_are_originals_and_views_in_order(run):
    points = gather_points(run)
    one = [("original", 0), ("blur", 0), ("blur", 1), ("noise", 0), ("noise", 1)]
    assert list(zip(points.transforms, points.draws.tolist(), strict=True)) == one * 5
    assert points.rows.tolist() == np.repeat(np.arange(5), 5).tolist()
    assert points.members[::5] == (*AWKWARD, "folder/picture-4.jpg")
    assert np.array_equal(points.embeddings[::5], run.embeddings().values)


def test_values_stand_with_their_view(run):
    points = gather_points(run)
    stored = {
        (line["row"], line["transform"], line["draw"], line["metric"]): line["value"]
        for line in run.shifts().to_pylist()
    }
    for metric, column in points.shifts.items():
        keys = zip(points.rows.tolist(), points.transforms, points.draws.tolist(), strict=True)
        wanted = [stored.get((*key, metric), np.nan) for key in keys]
        assert np.array_equal(column, wanted, equal_nan=True)
    assert np.isnan(points.shifts["l2"][1:3]).all()
    assert np.isnan(points.shifts["cosine"][::5]).all()


def test_many_points_are_a_sample_by_default(run, monkeypatch):
    monkeypatch.setattr(gathered, "MOST_POINTS", 11)
    points = gather_points(run)
    assert (points.images, points.among, len(points)) == (2, 5, 10)
    assert len(gather_points(run, images=99)) == 25


# coordinates ----------------------------------------------------------------------------------------------


def test_coordinates_are_the_first_principal_components():
    units, _ = unit_vectors(np.random.default_rng(0).normal(size=(40, 6)))
    found, share = project(units)
    left, sizes, right = np.linalg.svd(units - units.mean(axis=0), full_matrices=False)
    signs = [np.sign(axis[np.abs(axis).argmax()]) for axis in right[:2]]
    assert found == pytest.approx(left[:, :2] * sizes[:2] * signs)
    assert share == pytest.approx((sizes[:2] ** 2).sum() / (sizes**2).sum())


@pytest.mark.parametrize("shape", [(1, 4), (3, 1)])
def test_what_has_no_second_component_has_it_0(shape):
    found, _ = project(np.ones(shape))
    assert np.array_equal(found, np.zeros((shape[0], 2)))


# embedding-atlas ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def atlas(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("atlas") / "run.parquet"
    export(run, to="embedding-atlas", out=path)
    return pq.read_table(path)


def test_the_atlas_has_the_columns_that_it_is_opened_with(atlas):
    assert atlas.schema.field("x").type == atlas.schema.field("y").type == pa.float64()
    assert [field.name for field in atlas.schema.field("neighbors").type] == ["ids", "distances"]
    assert [field.name for field in atlas.schema.field("image").type] == ["bytes", "path"]
    assert atlas["l2"].null_count == 5 * 3
    about = json.loads(atlas.schema.metadata[b"embshift_export"])
    assert (about["encoder"], about["projection"]) == ("synthetic", "PCA of unit embeddings")


def test_its_neighbours_are_the_nearest_other_rows(run, atlas):
    units = gather_points(run).units
    apart = 1 - units @ units.T
    np.fill_diagonal(apart, np.inf)
    for row, found in zip(apart, atlas["neighbors"].to_pylist(), strict=True):
        assert found["distances"] == pytest.approx(np.sort(row)[:10])
        assert row[found["ids"]] == pytest.approx(found["distances"])


def test_its_images_are_the_kept_views(run, atlas):
    points = gather_points(run)
    for path, image in zip(points.kept, atlas["image"].to_pylist(), strict=True):
        small = np.asarray(Image.open(io.BytesIO(image["bytes"]))).astype(int)
        kept = np.asarray(Image.open(path).convert("RGB")).astype(int)
        assert np.abs(small - kept).mean() < 8  # JPEG


def test_thumbnails_end_at_a_size(run, tmp_path, monkeypatch):
    monkeypatch.setattr(embedding_atlas, "MOST_BYTES", 3_000)
    written = export(run, to="embedding-atlas", out=tmp_path / "run.parquet")
    images = pq.read_table(written.path)["image"].to_pylist()
    kept = [len(one["bytes"]) for one in images if one]
    assert 0 < sum(kept) <= 3_000
    assert f"{25 - len(kept)} thumbnails are left out beyond 0 MiB" in written.notes


# projector ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def projected(run, tmp_path_factory):
    return export(run, to="projector", out=tmp_path_factory.mktemp("projector") / "out").path


def test_the_projector_has_a_line_for_each_point(run, projected):
    points = gather_points(run)
    tensors = np.loadtxt(projected / "tensors.tsv", delimiter="\t", dtype=np.float32)
    assert np.array_equal(tensors, points.embeddings)
    lines = (projected / "metadata.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
    cells = [line.split("\t") for line in lines]
    assert cells[0] == ["member", "transform", "draw", "row", "cosine", "l2"]
    assert {len(line) for line in cells} == {6}
    assert [line[1] for line in cells[1:]] == list(points.transforms)
    assert [cells[1][0], cells[6][0]] == ["a␉tab.jpg", "a␊line.jpg"]


def test_its_sprite_shows_each_point_in_its_place(run, projected):
    sprite = np.asarray(Image.open(projected / "sprite.png"))
    assert sprite.shape == (5 * 48, 5 * 48, 3)
    kept = np.asarray(Image.open(gather_points(run).kept[7]))  # row 1, column 2
    assert np.array_equal(sprite[48 + 4 : 96 - 4, 96 + 4 : 144 - 4], kept)
    config = (projected / "projector_config.pbtxt").read_text(encoding="utf-8")
    assert config.count("single_image_dim: 48") == 2


def test_without_kept_views_there_is_no_sprite(tmp_path):
    bare = make_run(tmp_path / "run", Wanted(images=2, transforms=("blur",), views=False, encoder='a "b"\\c'))
    path = export(bare, to="projector", out=tmp_path / "out").path
    assert {file.name for file in path.iterdir()} == {
        *("tensors.tsv", "metadata.tsv", "projector_config.pbtxt"),
        MARKER,
    }
    config = (path / "projector_config.pbtxt").read_text(encoding="utf-8")
    assert 'tensor_name: "a \\"b\\"\\\\c"' in config
    assert "sprite" not in config


def test_a_folder_with_a_further_file_is_not_replaced(run, tmp_path):
    path = export(run, to="projector", out=tmp_path / "out").path
    (path / "events.out").write_text("mine")
    with pytest.raises(
        UsageError, match=r"holds 'events\.out', which is not of an earlier export to projector"
    ):
        export(run, to="projector", out=path)
    (path / "events.out").unlink()
    with pytest.raises(UsageError, match="which is not of an earlier export to fiftyone"):
        export(run, to="fiftyone", out=path)


def test_a_link_to_a_folder_is_not_replaced(run, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    with pytest.raises(UsageError, match="is a link; expected a folder"):
        export(run, to="projector", out=tmp_path / "link")


# FiftyOne -------------------------------------------------------------------------------------------------


def load(path):
    samples = json.loads((path / "samples.json").read_text(encoding="utf-8"))["samples"]
    return samples, json.loads((path / "metadata.json").read_text(encoding="utf-8"))


def test_fiftyone_has_a_sample_for_each_point(run, tmp_path):
    points = gather_points(run)
    samples, about = load(export(run, to="fiftyone", out=tmp_path / "out").path)
    assert len({one["_id"]["$oid"] for one in samples}) == len(samples) == len(points)
    assert [one["filepath"] for one in samples] == [str(path.absolute()) for path in points.kept]
    assert [one["tags"] for one in samples[:2]] == [["original"], ["view"]]
    assert samples[1]["l2"] is None
    assert samples[1]["cosine"] == points.shifts["cosine"][1]
    content = zlib.decompress(base64.b64decode(samples[3]["embedding"]["$binary"]["base64"]))
    assert np.array_equal(np.load(io.BytesIO(content)), points.embeddings[3])
    fields = {one["db_field"]: one["ftype"].rpartition(".")[2] for one in about["sample_fields"]}
    assert {*samples[0]} - {"_media_type", "_rand"} <= {*fields}
    assert (fields["embedding"], fields["cosine"]) == ("VectorField", "FloatField")


def test_a_view_that_was_not_kept_points_at_its_original(tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=2, transforms=("blur",)))
    for file in run.folder.glob("views/*/blur-0.png"):
        file.unlink()
    samples, _ = load(export(run, to="fiftyone", out=tmp_path / "out").path)
    assert samples[0]["filepath"] == samples[1]["filepath"]
    assert [one["shown"] for one in samples] == ["original"] * 4


def test_a_point_without_any_file_is_left_out_and_told(tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=2, transforms=("blur",), views=False))
    written = export(run, to="fiftyone", out=tmp_path / "out")
    assert load(written.path)[0] == []
    assert written.notes == ("4 points without an image file left out",)


# what is left out, and what comes back --------------------------------------------------------------------


def test_equal_and_unusable_images_are_left_out(tmp_path, monkeypatch):
    named, listed = synthetic_runs.image_id, synthetic_runs._images

    def list_images(wanted):
        return [line | ({"status": "damaged"} if line["row"] == 3 else {}) for line in listed(wanted)]

    monkeypatch.setattr(synthetic_runs, "image_id", lambda row: named(0 if row == 2 else row))
    monkeypatch.setattr(synthetic_runs, "_images", list_images)
    points = gather_points(make_run(tmp_path / "run", Wanted(images=5, transforms=("blur",))))
    assert points.rows.tolist() == [0, 0, 1, 1, 4, 4]
    assert (points.images, points.among) == (3, 3)


def test_an_embedding_without_a_direction_is_left_out_and_told(tmp_path, monkeypatch):
    made = synthetic_runs._embeddings

    def embed(wanted, row, rng):
        first, *views = made(wanted, row, rng)
        return [first | {"embedding": 0 * first["embedding"]} if row == 1 else first, *views]

    monkeypatch.setattr(synthetic_runs, "_embeddings", embed)
    run = make_run(tmp_path / "run", Wanted(images=3, transforms=("blur",)))
    written = export(run, to="embedding-atlas", out=tmp_path / "run.parquet")
    assert "1 embedding without a direction left out" in written.notes
    table = pq.read_table(written.path)
    assert table["row"].to_pylist() == [0, 0, 1, 2, 2]
    assert np.isfinite(table["x"].to_numpy()).all()


def test_an_earlier_folder_comes_back_if_the_new_one_cannot_take_its_place(run, tmp_path, monkeypatch):
    path = export(run, to="projector", out=tmp_path / "out").path
    monkeypatch.setattr(target_folders, "rename_into_place", refuse)
    with pytest.raises(StorageError, match="out cannot be written: refused"):
        export(run, to="projector", out=path)
    assert (path / "tensors.tsv").is_file()
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def refuse(*given):
    raise OSError(5, "refused")


@pytest.mark.parametrize(
    ("to", "wanted"),
    [
        ("embedding-atlas", "embedding-atlas {quoted} --x x"),
        ("projector", "tensorboard --logdir {quoted}"),
        ("fiftyone", "from_dir({literal}, "),
    ],
)
def test_what_opens_an_export_can_be_pasted(run, tmp_path, to, wanted):
    place = tmp_path / "a PATH's|<end>"
    opened = export(run, to=to, out=place).opened
    assert wanted.format(quoted=shlex.quote(str(place)), literal=repr(str(place))) in opened
