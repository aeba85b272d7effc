"""Images in memory: columns, floats, tensors, and the names that Pillow keeps."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from embshift.core.errors import PlanError
from embshift.images.objects import expand_source
from embshift.images.sources import list_sources

PIXELS = np.random.default_rng(5).integers(0, 256, (6, 4, 3), dtype=np.uint8)
FLOATS = PIXELS / 255.0


def content(image):
    (record,) = list_sources([image])
    return record.content


@pytest.mark.parametrize(
    "image",
    [
        FLOATS,
        FLOATS.astype(np.float32),
        torch.from_numpy(PIXELS),
        torch.from_numpy(PIXELS).permute(2, 0, 1),
        torch.from_numpy(FLOATS).permute(2, 0, 1),
        torch.from_numpy(FLOATS).requires_grad_(),
    ],
)
def test_floats_and_tensors_are_the_same_pixels(image):
    found = content(image)
    assert found.dtype == np.uint8
    assert np.array_equal(found, PIXELS)


def test_grey_floats_and_tensors_have_two_axes():
    assert np.array_equal(content(FLOATS[:, :, 0]), PIXELS[:, :, 0])
    assert np.array_equal(content(torch.from_numpy(PIXELS[:, :, 0])), PIXELS[:, :, 0])


def test_the_rounding_is_said(caplog):
    with caplog.at_level(logging.INFO, logger="embshift"):
        content(FLOATS)
    assert "multiplied by 255 and rounded" in caplog.text


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (FLOATS * 255, r"floats from .* to .*; expected 0 to 1, or uint8"),
        (FLOATS - 0.5, r"floats from -0\..*; expected 0 to 1"),
        (FLOATS * np.nan, r"floats from nan to nan; expected 0 to 1"),
        (torch.zeros(3, 5, 3), "3 colours x height x width, or height x width x 3 colours"),
        (torch.zeros(2, 3, 5, 5), "expected a path, a PIL image"),
        (torch.zeros(4, 5, 5), "expected a path, a PIL image"),
        (PIXELS.astype(np.int64), "a source is ndarray int64"),
    ],
)
def test_what_cannot_be_read_is_refused(image, message):
    with pytest.raises(PlanError, match=message):
        content(image)


def test_an_image_has_the_name_that_pillow_keeps(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "cat.png")
    with Image.open(tmp_path / "cat.png") as opened:
        records = list_sources([opened, Image.fromarray(PIXELS)])
    assert [record.member for record in records] == ["cat.png", ""]


def test_columns_and_tables_are_lists_of_sources():
    column = pd.Series(["b.png", "a.png"], index=[7, 3])
    assert expand_source(column) == ["b.png", "a.png"]
    assert expand_source(pd.DataFrame({"label": [1, 2], "Path": column.to_list()})) == ["b.png", "a.png"]
    image = Image.fromarray(PIXELS)
    assert expand_source(pd.DataFrame({"image": [image]})) == [image]
    assert expand_source("folder") == ["folder"]
    assert expand_source(("a", "b")) == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["label"], r"no column path, image, file or url \(of label\); pass one column"),
        (["path", "file"], r"the columns path, file"),
    ],
)
def test_a_table_without_one_such_column_is_refused(columns, message):
    with pytest.raises(PlanError, match=message):
        expand_source(pd.DataFrame({name: ["a.png"] for name in columns}))
