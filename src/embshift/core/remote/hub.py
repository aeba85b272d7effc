"""Data sets on the Hugging Face hub, hf://datasets/OWNER/NAME@REVISION/path: pinned to a commit, and read."""

import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from embshift.core.errors import ImageError, UsageError
from embshift.core.remote.faults import PASSING, PATIENCE, PassingError
from embshift.core.remote.http_client import Place, find_place
from embshift.core.stores import StoredObject

__all__ = ["HubFile", "find_download", "list_hub", "pin_hub", "stat_hub"]

_FORM = "hf://datasets/OWNER/NAME@REVISION/path"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ADDRESS = re.compile(
    r"hf://datasets/([\w.-]+/[\w.-]+)(?:@(refs/(?:convert|pr)/[^/]+|[^/]+))?(?:/(.*))?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_ODD = re.compile(r"[\x00-\x1f\x7f]|(^|/)\.{1,2}(/|$)|//")


class HubFile(NamedTuple):
    """An address on the hub in its parts.

    Attributes:
        name: "OWNER/NAME" of the data set.
        revision: A branch, a tag or a commit; empty for the main branch.
        path: Path of a file or folder.
    """

    name: str
    revision: str
    path: str


def split_hub(address: str, /) -> HubFile:
    """Return the parts of an address on the hub.

    Raises:
        UsageError: If it is none.
    """
    from urllib.parse import unquote  # only now: it delays every start of the command

    found = _ADDRESS.fullmatch(address)
    path = (found[3] or "").strip("/") if found else ""
    if found is None or _ODD.search(path):
        raise UsageError(f"{address!r} is no address of a data set on the hub; expected {_FORM}")
    return HubFile(found[1], unquote(found[2] or ""), path)


def pin_hub(address: str, /) -> str:
    """Return an address with the commit that its revision stands for now.

    Raises:
        ImageError: If there is no such data set or revision, or it may not be read.
        PassingError: If the hub does not answer, which may pass.
        UsageError: If it is no address of a data set.
    """
    found = split_hub(address)
    commit = found.revision
    if not _COMMIT.fullmatch(commit):
        with _translate(address):
            commit = _api().dataset_info(found.name, revision=commit or None, timeout=PATIENCE.connect).sha
    return f"hf://datasets/{found.name}@{commit}/{found.path}"


def stat_hub(address: str, /) -> StoredObject | None:
    """Return what the hub says of a file, at an address that is pinned; None if there is no such file.

    Raises:
        ImageError, PassingError, UsageError: As in `pin_hub`.
    """
    found = split_hub(address)
    if not found.path:
        return None
    with _translate(address):
        told = _api().get_paths_info(found.name, [found.path], revision=found.revision, repo_type="dataset")
    return next((_describe(found, one) for one in told if _is_file(one)), None)


def list_hub(address: str, /) -> Iterator[StoredObject]:
    """Yield the files below a folder, at an address that is pinned.

    Raises:
        ImageError, PassingError, UsageError: As in `pin_hub`.
    """
    found = split_hub(address)
    with _translate(address):
        tree = _api().list_repo_tree(
            found.name, found.path or None, recursive=True, revision=found.revision, repo_type="dataset"
        )
        yield from (_describe(found, one) for one in tree if _is_file(one))


def find_download(address: str, /) -> tuple[str, dict[str, str], Place]:
    """Return where a file of the hub is downloaded, the headers for the hub alone, and the hub's place."""
    from huggingface_hub import constants, get_token, hf_hub_url

    found = split_hub(address)
    hub = os.environ.get("HF_ENDPOINT") or constants.ENDPOINT
    url = hf_hub_url(
        found.name, found.path, repo_type="dataset", revision=found.revision or None, endpoint=hub
    )
    token = get_token()
    return url, {"Authorization": f"Bearer {token}"} if token else {}, find_place(hub)


def _describe(found: HubFile, told: Any) -> StoredObject:
    return StoredObject(
        address=f"hf://datasets/{found.name}@{found.revision}/{told.path}",
        size=int(told.size),
        etag=str(told.lfs.sha256 if told.lfs else told.blob_id),
        modified_ns=-1,
    )


def _is_file(told: Any) -> bool:
    return getattr(told, "blob_id", None) is not None


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"))


@contextmanager
def _translate(address: str) -> Generator[None]:
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except EntryNotFoundError:
        raise ImageError(f"{address} does not exist", status="missing") from None
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        kind = "revision" if isinstance(error, RevisionNotFoundError) else "data set"
        text = f"the hub has no such {kind}: {address}; check the spelling (private ones need: hf auth login)"
        raise ImageError(text, status="missing") from None
    except HFValidationError as error:
        raise UsageError(f"{address!r} is no address of a data set on the hub: {error}") from None
    except OfflineModeIsEnabled:
        text = f"{address} is not read, since HF_HUB_OFFLINE forbids to ask the hub"
        raise ImageError(text, status="unreadable") from None
    except (ImageError, UsageError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever the library and what it stands on raise
        raise _explain(address, error) from None


def _explain(address: str, error: Exception) -> Exception:
    status = getattr(getattr(error, "response", None), "status_code", None)
    text = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    if status is None or status in PASSING:
        return PassingError(text)
    return ImageError(f"{address} cannot be read: {text}", status="unreadable")
