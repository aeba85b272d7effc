"""Addresses in stores and on the hub, read in the same way as those of web servers."""

import pytest
from obstore.store import MemoryStore

from embshift.core import stores
from embshift.core.errors import ImageError, UsageError
from embshift.core.remote import (
    ACCESS,
    faults,
    grant_access,
    list_addresses,
    pin_address,
    read_address,
    stat_address,
)
from embshift.core.remote.faults import Patience
from embshift.core.stores import create_object, replace_object
from tests.fault_server import busy
from tests.hub_server import COMMIT, serve_hub

FILES = {"train/a.png": b"first", "train/b c.png": b"second", "test/a.png": b"third", "README.md": b"# n"}


@pytest.fixture(autouse=True)
def access():
    with grant_access(ACCESS):
        yield


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr(stores, "_open", {"s3://bucket": MemoryStore()}.__getitem__)


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(faults, "PATIENCE", Patience(tries=3, first_wait=0.001))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", "hf_hidden")
    with serve_hub(FILES) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def refused(address, status, **options):
    with pytest.raises(ImageError) as caught:
        read_address(address, **options)
    assert caught.value.status == status


@pytest.mark.usefixtures("store")
def test_a_store_says_what_is_missing_changed_or_too_large():
    etag = create_object("s3://bucket/a", b"0123456789")
    assert pin_address("s3://bucket/a") == "s3://bucket/a"
    assert stat_address("s3://bucket/a").etag == etag
    assert stat_address("s3://bucket/none") is None
    assert read_address("s3://bucket/a", offset=2, length=3, etag=etag) == b"234"
    refused("s3://bucket/none", "missing")
    refused("s3://bucket/a", "too_large", most=9)
    refused("s3://bucket/a", "too_large", length=10, most=9)
    refused("s3://bucket/a", "unreadable", offset=8, length=9)
    replace_object("s3://bucket/a", b"9876543210")
    refused("s3://bucket/a", "changed", etag=etag)


@pytest.mark.usefixtures("store")
def test_a_folder_of_a_store_is_listed_in_the_order_of_bytes():
    for key in ("d/b", "d/a/z", "d/a.png", "d/B", "d/ä"):
        create_object(f"s3://bucket/{key}", b"x")
    found = [one.address.removeprefix("s3://bucket/d/") for one in list_addresses("s3://bucket/d")]
    assert found == ["B", "a.png", "a/z", "b", "ä"]


def test_the_hub_is_pinned_to_a_commit_and_read_by_ranges(hub):
    pinned = pin_address("hf://datasets/o/n/train")
    assert pinned == f"hf://datasets/o/n@{COMMIT}/train"
    assert pin_address(pinned) == pinned
    assert pin_address("hf://datasets/o/n@refs%2Fconvert%2Fparquet/x").endswith(f"@{COMMIT}/x")
    assert hub.revisions == ["main", "refs/convert/parquet"], "a commit needs no question"
    found = list_addresses(pinned)
    assert [one.address for one in found] == [f"{pinned}/a.png", f"{pinned}/b c.png"]
    assert [one.size for one in found] == [5, 6]
    assert stat_address(f"{pinned}/a.png") == found[0]
    assert stat_address(f"{pinned}/none.png") is None
    hub.faults.append(busy())
    assert read_address(found[1].address, offset=1, length=3, etag=found[1].etag) == b"eco"
    assert hub.headers[-1]["Authorization"] == "Bearer hf_hidden"
    refused(f"{pinned}/none.png", "missing")


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("address", "status", "reason"),
    [
        ("hf://datasets/o/other", "missing", "no such data set"),
        ("hf://datasets/o/n@none", "missing", "no such revision"),
    ],
)
def test_what_the_hub_does_not_have_is_told(address, status, reason):
    with pytest.raises(ImageError, match=reason) as caught:
        pin_address(address)
    assert caught.value.status == status


def test_a_hub_that_cannot_be_reached_is_told(hub, monkeypatch):
    hub.server_close()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ImageError, match="asked 3 times") as caught:
        pin_address("hf://datasets/o/n")
    assert caught.value.status == "unreadable"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ImageError, match="HF_HUB_OFFLINE"):
        pin_address("hf://datasets/o/n")


@pytest.mark.parametrize(
    "address", ["hf://o/n", "hf://spaces/o/n", "hf://datasets/o", "hf://datasets/o/n/../m"]
)
def test_other_addresses_of_the_hub_are_refused(address):
    with pytest.raises(UsageError, match="hf://datasets/OWNER/NAME@REVISION/path"):
        pin_address(address)
