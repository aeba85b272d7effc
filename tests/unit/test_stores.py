"""Objects in stores: create-only writing, ranges, and what is said when something is wrong."""

import pytest
from obstore.store import MemoryStore

from embshift.core import stores
from embshift.core.errors import StoreError, UsageError
from embshift.core.store_addresses import is_store_address, split_address
from embshift.core.store_errors import explain_error
from embshift.core.stores import (
    ObjectChangedError,
    ObjectExistsError,
    create_object,
    list_objects,
    read_object,
    remove_object,
    replace_object,
    stat_object,
)


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "_open", {"s3://bucket": MemoryStore()}.__getitem__)


def test_an_object_is_created_once() -> None:
    etag = create_object("s3://bucket/a/b", b"first")
    with pytest.raises(ObjectExistsError, match="s3://bucket/a/b"):
        create_object("s3://bucket/a/b", b"second")
    assert read_object("s3://bucket/a/b") == b"first"
    found = stat_object("s3://bucket/a/b")
    assert found is not None
    assert (found.size, found.etag) == (5, etag)


def test_an_object_is_replaced_only_in_the_state_that_was_seen() -> None:
    first = create_object("s3://bucket/a", b"1")
    second = replace_object("s3://bucket/a", b"2", etag=first)
    with pytest.raises(ObjectChangedError):
        replace_object("s3://bucket/a", b"3", etag=first)
    assert read_object("s3://bucket/a", etag=second) == b"2"
    with pytest.raises(ObjectChangedError):
        read_object("s3://bucket/a", etag=first)


def test_ranges_are_read_as_they_are_asked_for() -> None:
    create_object("s3://bucket/a", b"0123456789")
    assert read_object("s3://bucket/a", start=2, length=3) == b"234"
    assert read_object("s3://bucket/a", start=7) == b"789"
    assert read_object("s3://bucket/a", start=3, length=0) == b""
    with pytest.raises(StoreError):
        read_object("s3://bucket/a", start=8, length=5)


def test_what_is_not_there_is_told_apart_from_errors() -> None:
    assert stat_object("s3://bucket/none") is None
    remove_object("s3://bucket/none")
    with pytest.raises(FileNotFoundError):
        read_object("s3://bucket/none")


def test_a_folder_lists_what_is_below_it_and_no_neighbour() -> None:
    for key in ("run/b", "run/a/c", "runs/d"):
        create_object(f"s3://bucket/{key}", b"x")
    assert sorted(one.address for one in list_objects("s3://bucket/run")) == [
        "s3://bucket/run/a/c",
        "s3://bucket/run/b",
    ]


@pytest.mark.parametrize(
    "address",
    [
        "s3://",
        "s3:///key",
        "s3://b/../c",
        "s3://b/a//c",
        "s3://key:secret@b/a",
        "s3://key:secret@b?c",
        "s3://key:secret@b/../a",
        "http://b/a",
        "b/a",
    ],
)
def test_odd_addresses_are_refused_without_their_secrets(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        split_address(address)
    assert "secret" not in str(caught.value)


def test_addresses_are_told_from_paths() -> None:
    assert is_store_address("s3://bucket/a")
    assert is_store_address("GS://bucket")
    assert not is_store_address("photos/s3")
    assert not is_store_address("http://host/a")


def test_a_key_that_cannot_be_listed_is_named_with_what_to_do() -> None:
    told = 'Encountered object with invalid path: Path "a//b" contained empty path segment'
    assert 'rename it ("a//b" contained' in str(explain_error("s3://bucket/a", ValueError(told)))
