"""The Python interface on what Python users have in their hands."""

import albumentations
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import embshift
from embshift.core.errors import PlanError, ResumeError, UnknownNameError

QUICK = {"encoder": "lite", "image_size": (64, 64), "workers": 0}


def invert(pixels):
    return 255 - pixels


def speckle(pixels, *, rng):
    return rng.integers(0, 256, pixels.shape, dtype=np.uint8)


def test_pictures_from_memory(photos, tmp_path):
    paths = sorted(photos.glob("*.jpg"))
    held = [Image.open(paths[0]), np.asarray(Image.open(paths[1]).convert("RGB"))]
    run = embshift.measure(held, out=tmp_path / "run", transforms=["noise", "blur"], **QUICK)
    assert run.info["counts"]["images"] == 2
    assert run.images()["path"].to_pylist() == [None, None]
    assert run.images()["member"].to_pylist() == [paths[0].name, ""]
    assert run.embeddings("noise").values.shape == (2, 256)
    again = embshift.measure(held, out=tmp_path / "run", transforms=["noise", "blur"], **QUICK)
    assert again.shifts().equals(run.shifts())
    others = [held[1], held[1]]
    with pytest.raises(ResumeError, match="image from memory in row 0 is not the run's"):
        embshift.measure(others, out=tmp_path / "run", transforms=["noise", "blur"], **QUICK)
    assert (tmp_path / "run" / "plan.toml").read_text().startswith("# Not repeatable from this file: images")


def test_a_pandas_table_of_paths_and_floats_are_measured_as_their_pixels(photos, tmp_path):
    path = sorted(photos.glob("*.jpg"))[0]
    pixels = np.asarray(Image.open(path).convert("RGB"))
    asked = {"transforms": ["blur"], **QUICK}
    whole = embshift.measure([pixels], out=tmp_path / "whole", **asked)
    floats = embshift.measure(pixels / 255, out=tmp_path / "floats", **asked)
    assert floats.shifts().equals(whole.shifts())
    table = embshift.measure(pd.DataFrame({"path": [str(path)]}), out=tmp_path / "table", **asked)
    assert table.images()["member"].to_pylist() == [path.name]


def test_transforms_of_the_users_own(photos, tmp_path):
    mine = {
        "invert": invert,
        "speckle": speckle,
        "fog": albumentations.RandomFog(p=1.0),
        "dark": lambda pixels: pixels // 2,
    }
    with_lambda = embshift.measure(photos, out=tmp_path / "a", transforms=mine, **QUICK | {"workers": 1})
    assert with_lambda.transforms == tuple(mine)
    assert with_lambda.info["plan"]["workers"] == 0  # a lambda cannot be built in another process
    assert with_lambda.info["counts"]["views_failed"] == 0
    del mine["dark"]
    again = embshift.measure(photos, out=tmp_path / "b", transforms=mine, **QUICK | {"workers": 1})
    assert again.info["plan"]["workers"] == 1
    for name in mine:
        assert np.array_equal(again.embeddings(name).values, with_lambda.embeddings(name).values)


def test_draws_are_repeats_with_other_numbers(photos, tmp_path):
    run = embshift.measure(photos, out=tmp_path / "run", transforms=["noise"], draws=3, **QUICK)
    noise = run.embeddings("noise")
    assert noise.draws.tolist() == [0, 1, 2] * 6
    assert not np.array_equal(noise.values[0], noise.values[1])
    assert {cell.n for row in run.summary().rows for cell in row.cells.values()} == {6}
    first = embshift.measure(photos, out=tmp_path / "first", transforms=["noise"], **QUICK)
    assert first.embeddings("noise").values == pytest.approx(noise.values[::3], rel=1e-4, abs=1e-4)


def test_a_run_shows_itself(lite_run):
    assert "6 images" in repr(lite_run)
    html = lite_run._repr_html_()
    assert html.count("<tr>") == 10
    assert "similarity map" not in html


def test_unknown_names_offer_the_nearest(lite_run, photos, tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'noise'"):
        lite_run.embeddings("nose")
    with pytest.raises(UnknownNameError, match="plan field 'sed'; did you mean 'seed'"):
        embshift.measure(photos, out=tmp_path / "run", sed=1)
    with pytest.raises(PlanError, match="draws is 'two'; expected a whole number"):
        embshift.measure(photos, out=tmp_path / "run", draws="two")


def test_clusters_put_like_with_like(lite_run):
    clusters = lite_run.clusters()
    assert clusters.square.shape == (9, 9)
    assert sorted(name for names in clusters.members().values() for name in names) == sorted(
        lite_run.transforms
    )
    # Noise destroys the picture; elastic barely moves it: no threshold below the top joins them first.
    assert (
        clusters.labels[lite_run.transforms.index("noise")]
        != clusters.labels[lite_run.transforms.index("elastic")]
    )


def test_the_data_set_of_algorithm_1(photos, capsys):
    pictures = embshift.ImageTransformDataset(photos, image_size=(64, 96))
    assert capsys.readouterr().out == f"6 images in {photos}\n"
    assert len(pictures) == 6
    item = pictures[2]
    assert list(item)[:2] == ["image_path", "original"]
    assert len(item) == 11
    assert {value.shape for name, value in item.items() if name != "image_path"} == {(64, 96, 3)}
    empty = embshift.ImageTransformDataset(photos, {}, image_size=(64, 96))
    assert all(np.array_equal(empty[2][name], item[name]) for name in item if name != "image_path")
    other = embshift.ImageTransformDataset(photos, None, (64, 96), 1)
    assert not np.array_equal(other[2]["noise"], item["noise"])


def test_the_data_set_in_a_data_loader(photos):
    from torch.utils.data import DataLoader

    pictures = embshift.ImageTransformDataset(photos, {"invert": invert, "speckle": speckle}, (32, 32))
    plain = [pictures[index] for index in range(6)]
    loaded = list(DataLoader(pictures, batch_size=None, num_workers=1, multiprocessing_context="spawn"))
    for one, other in zip(plain, loaded, strict=True):
        assert one["image_path"] == other["image_path"]
        assert all(
            np.array_equal(one[name], np.asarray(other[name])) for name in ("original", "invert", "speckle")
        )


def test_a_run_measures_the_views_of_the_data_set(photos, lite_run):
    from embshift.transforms.perturb import pixels_digest

    pictures = embshift.ImageTransformDataset(photos)
    import pyarrow.parquet as pq

    rows = pq.read_table(lite_run.folder / "embeddings").to_pylist()
    recorded = {(row["row"], row["transform"]): row["pixels_digest"] for row in rows}
    for index in range(6):
        item = pictures[index]
        for name in ("original", *lite_run.transforms):
            assert pixels_digest(item[name]) == recorded[index, name]
