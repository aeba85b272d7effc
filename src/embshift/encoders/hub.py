"""Local folders of hub names: from the cache without a connection, else by a download that cannot hang.

The hub is asked once, in a thread that is abandoned if the hub does not answer in time. Nothing else limits
how long a name server takes to reply.
"""

import importlib
import os
import threading
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from embshift.core.errors import EncoderError, OfflineError, WeightsError
from embshift.encoders.checkpoints import PINNED

__all__ = [
    "REPLY_S",
    "add_hub_files",
    "find_hub_file",
    "find_hub_files",
    "resolve_hub_name",
    "without_downloads",
]

REPLY_S = 8.0
"""Seconds that the hub has for its one answer."""

_cached_only = ContextVar("cached_only", default=False)


@contextmanager
def without_downloads() -> Generator[None]:
    """Use what is in the cache alone while the context is open; what is not there raises `OfflineError`."""
    before = _cached_only.set(True)
    try:
        yield
    finally:
        _cached_only.reset(before)


PREPROCESSING = ("preprocessor_config.json", "processor_config.json")
SAFE, PICKLE = "model.safetensors", "pytorch_model.bin"
PICKLES = (".bin", ".pt", ".pth")


def resolve_hub_name(name: str, /, *, allow_pickle: bool = False) -> Path:
    """Return the local folder of a hub name; download the checkpoint if it is not in the cache.

    Args:
        name: A hub name, "organisation/name".
        allow_pickle: Whether a pickle that is not pinned may be downloaded.

    Raises:
        OfflineError: The checkpoint is not in the cache and the hub does not answer.
        EncoderError: The hub has no such repository, or refuses access to it.
        WeightsError: The repository holds no weights that may be read.
    """
    return _find_cached_folder(name) or _download(name, allow_pickle=allow_pickle)


def add_hub_files(name: str, files: Collection[str], /) -> None:
    """Download further files of a hub name into its folder in the cache, as far as the hub has them.

    Args:
        name: A hub name, "organisation/name".
        files: Names of the files.

    Raises:
        OfflineError: The hub does not answer.
        EncoderError: The hub has no such repository, or refuses access to it.
    """
    there = {file.rfilename for file in _ask(name).siblings or []}
    for file in files:
        if file in there:
            _fetch(name, file)


def find_hub_file(name: str, files: Sequence[str], /, *, allow_pickle: bool = False) -> Path:
    """Return the local path of the first of some files that a hub name has; download it if it is not cached.

    Args:
        name: A hub name, "organisation/name".
        files: Names of weight files, the preferred one first.
        allow_pickle: Whether a pickle that is not pinned may be downloaded.

    Raises:
        OfflineError: None of the files is in the cache, and the hub does not answer.
        EncoderError: The hub has no such repository, or refuses access to it.
        WeightsError: The repository has none of the files, or only a pickle that is not allowed.
    """
    cached = next((found for file in files if (found := _find_cached(name, file))), None)
    if cached is not None:
        return cached
    listed: list[Any] = _ask(name).siblings or []
    digests: dict[str, str | None] = {file.rfilename: getattr(file.lfs, "sha256", None) for file in listed}
    chosen = next((file for file in files if file in digests), None)
    if chosen is None:
        raise WeightsError(f"the hub's repository '{name}' has no {' or '.join(files)}")
    _check_pickles(name, [chosen], digests, allow_pickle=allow_pickle)
    return _fetch(name, chosen)


def find_hub_files(name: str, files: Sequence[str], /, *, enough: Collection[str]) -> Path | None:
    """Return the folder in the cache that holds small files of a hub name; None if the hub has none of them.

    The hub is asked unless the cache has all that is enough; without an answer, what the cache has is used.

    Args:
        name: A hub name, "name" or "organisation/name".
        files: Names of the files, downloaded in this order as far as the hub has them.
        enough: Those of them that show that an earlier download was whole.

    Raises:
        OfflineError: The cache has none of the files, and the hub does not answer.
        EncoderError: The hub has no such repository, or refuses access to it.
    """
    cached = {file for file in files if _find_cached(name, file)}
    if not cached.issuperset(enough):
        try:
            add_hub_files(name, files)
        except OfflineError:
            if not cached:
                raise
    return next((found.parent for file in files if (found := _find_cached(name, file))), None)


def _find_cached(name: str, file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, file, cache_dir=os.environ.get("HF_HUB_CACHE"))
    except HFValidationError as error:
        raise EncoderError(f"'{name}' is not a hub name: {error}") from error
    return Path(found) if isinstance(found, str) else None


def _find_cached_folder(name: str) -> Path | None:
    config = _find_cached(name, "config.json")
    described = any(_find_cached(name, file) for file in PREPROCESSING)
    if config is None or not described:
        return None
    return config.parent if _has_weights(config.parent) else None


def _has_weights(folder: Path) -> bool:
    from embshift.encoders.checkpoints import find_weight_files

    try:
        return all(file.exists() for file in find_weight_files(folder))
    except WeightsError:
        # No file, or only some shards: a download was interrupted.
        return False


def _download(name: str, *, allow_pickle: bool) -> Path:
    listing = _ask(name)
    files: list[Any] = listing.siblings or []
    digests: dict[str, str | None] = {file.rfilename: getattr(file.lfs, "sha256", None) for file in files}
    folder: Path | None = None
    for file in _choose_files(name, digests, allow_pickle=allow_pickle):
        path = _fetch(name, file)
        folder = folder or path.parent
    if folder is None:
        raise EncoderError(f"the hub's repository '{name}' has no encoder")
    return folder


def _check_downloads(name: str) -> None:
    if _cached_only.get():
        raise OfflineError(
            f"encoder '{name}' is not in the local cache, and nothing is downloaded here; 'embshift run' with"
            " this encoder downloads it"
        )


def _fetch(name: str, file: str) -> Path:
    _check_downloads(name)
    hub: Any = importlib.import_module("huggingface_hub")
    try:
        return Path(
            hub.hf_hub_download(
                name, file, cache_dir=os.environ.get("HF_HUB_CACHE"), endpoint=os.environ.get("HF_ENDPOINT")
            )
        )
    except (OSError, ValueError, RuntimeError) as error:
        _raise_explained(name, error)


def _choose_files(name: str, digests: dict[str, str | None], *, allow_pickle: bool) -> list[str]:
    described = [file for file in ("config.json", *PREPROCESSING) if file in digests]
    if "config.json" not in described or len(described) < 2:
        raise EncoderError(
            f"the hub's repository '{name}' lacks config.json or preprocessor_config.json; "
            "expected a checkpoint saved by transformers"
        )
    for stem in (SAFE, PICKLE):
        index = f"{stem}.index.json"
        shards = [file for file in digests if _is_shard(file, stem=stem)]
        weights = [stem] if stem in digests else [index, *shards] if index in digests else []
        if weights:
            _check_pickles(name, weights, digests, allow_pickle=allow_pickle)
            return [*described, *weights]
    raise WeightsError(f"the hub's repository '{name}' has no {SAFE}; choose a checkpoint that has it")


def _is_shard(file: str, *, stem: str) -> bool:
    start, _, end = stem.partition(".")
    return file.startswith(f"{start}-") and file.endswith(f".{end}")


def _check_pickles(
    name: str, weights: list[str], digests: dict[str, str | None], *, allow_pickle: bool
) -> None:
    # Refused before hundreds of megabytes are downloaded; reading checks the digest of the file itself.
    refused = [file for file in weights if file.endswith(PICKLES) and digests[file] not in PINNED]
    if refused and not allow_pickle:
        raise WeightsError(
            f"the hub's repository '{name}' has its weights only as a pickle ({refused[0]}), a format that "
            "can run code; use a checkpoint with model.safetensors, or trust this one with --allow-pickle"
        )


@dataclass(slots=True, kw_only=True)
class _Reply:
    done: threading.Event = field(default_factory=threading.Event)
    listing: Any = None
    error: Exception | None = None


def _ask(name: str) -> Any:
    _check_downloads(name)
    from huggingface_hub import HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    reply = _Reply()

    def ask() -> None:
        try:
            reply.listing = api.model_info(name, timeout=REPLY_S - 2, files_metadata=True)
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            reply.error = error
        reply.done.set()

    # A daemon thread, so that the end of the program does not wait for it either.
    threading.Thread(target=ask, name="embshift-hub", daemon=True).start()
    if not reply.done.wait(REPLY_S):
        _raise_explained(name, TimeoutError(f"no answer in {REPLY_S:.0f} s"))
    if reply.error is not None:
        _raise_explained(name, reply.error)
    return reply.listing


def _raise_explained(name: str, error: Exception) -> NoReturn:
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    hub = os.environ.get("HF_ENDPOINT") or constants.ENDPOINT
    if isinstance(error, GatedRepoError):
        raise EncoderError(
            f"the hub gives '{name}' only to users who accepted its terms; "
            "accept them there, then run: hf auth login"
        ) from error
    if isinstance(error, RepositoryNotFoundError | HFValidationError):
        raise EncoderError(
            f"the hub at {hub} has no repository '{name}', and there is no folder of that name here; "
            "check the spelling (a private repository needs: hf auth login)"
        ) from error
    raise OfflineError(
        f"encoder '{name}' is not in the local cache and the hub at {hub} does not answer "
        f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}); "
        "use --encoder lite, which needs no download, or download it on a connected machine with "
        f"'hf download {name} --local-dir FOLDER' and use --encoder FOLDER"
    ) from error
