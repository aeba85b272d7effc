"""Hub names to local folders: from the cache without a connection, else a download that cannot hang.

The hub is asked once, in a thread that is left behind if it does not answer in time: a name server that never
replies is bounded by nothing else.
"""

import importlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from embshift.core.errors import EncoderError, OfflineError, WeightsError
from embshift.encoders.checkpoints import PINNED

__all__ = ["REPLY_S", "resolve"]

REPLY_S = 8.0
"""Seconds that the hub has to answer the one question."""

PREPROCESSING = ("preprocessor_config.json", "processor_config.json")
SAFE, PICKLE = "model.safetensors", "pytorch_model.bin"


def resolve(name: str, /, *, allow_pickle: bool = False) -> Path:
    """The local folder of a hub name, downloaded if it is not in the cache.

    Args:
        name: A hub name, "organisation/name".
        allow_pickle: Whether a pickle may be downloaded that is not pinned.

    Raises:
        OfflineError: It is not in the cache and the hub does not answer.
        EncoderError: The hub has no such repository, or does not give it out.
        WeightsError: The repository holds no weights that may be read.
    """
    return _cached_folder(name) or _download(name, allow_pickle=allow_pickle)


def _cached(name: str, file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, file, cache_dir=os.environ.get("HF_HUB_CACHE"))
    return Path(found) if isinstance(found, str) else None


def _cached_folder(name: str) -> Path | None:
    from huggingface_hub.errors import HFValidationError

    try:
        config = _cached(name, "config.json")
    except HFValidationError as error:
        raise EncoderError(f"'{name}' is not a hub name: {error}") from error
    described = any(_cached(name, file) for file in PREPROCESSING)
    if config is None or not described:
        return None
    return config.parent if _has_weights(config.parent) else None


def _has_weights(folder: Path) -> bool:
    from embshift.encoders.checkpoints import weight_files

    try:
        return all(file.exists() for file in weight_files(folder))
    except WeightsError:
        # Nothing, or only some shards: a download was broken off.
        return False


def _download(name: str, *, allow_pickle: bool) -> Path:
    hub: Any = importlib.import_module("huggingface_hub")
    listing = _ask(name)
    files: list[Any] = listing.siblings or []
    digests: dict[str, str | None] = {file.rfilename: getattr(file.lfs, "sha256", None) for file in files}
    folder: Path | None = None
    for file in _wanted(name, digests, allow_pickle=allow_pickle):
        try:
            path = hub.hf_hub_download(
                name, file, cache_dir=os.environ.get("HF_HUB_CACHE"), endpoint=os.environ.get("HF_ENDPOINT")
            )
        except (OSError, ValueError, RuntimeError) as error:
            _explain(name, error)
        folder = folder or Path(path).parent
    if folder is None:
        raise EncoderError(f"the hub's repository '{name}' holds no encoder")
    return folder


def _wanted(name: str, digests: dict[str, str | None], *, allow_pickle: bool) -> list[str]:
    described = [file for file in ("config.json", *PREPROCESSING) if file in digests]
    if "config.json" not in described or len(described) < 2:
        raise EncoderError(
            f"the hub's repository '{name}' lacks config.json or preprocessor_config.json; "
            "a checkpoint saved by transformers is wanted"
        )
    for stem in (SAFE, PICKLE):
        index = f"{stem}.index.json"
        shards = [file for file in digests if _is_shard(file, stem=stem)]
        weights = [stem] if stem in digests else [index, *shards] if index in digests else []
        if weights:
            _check_pickles(name, weights, digests, allow_pickle=allow_pickle)
            return [*described, *weights]
    raise WeightsError(f"the hub's repository '{name}' holds no {SAFE}; a checkpoint that has it is wanted")


def _is_shard(file: str, *, stem: str) -> bool:
    start, _, end = stem.partition(".")
    return file.startswith(f"{start}-") and file.endswith(f".{end}")


def _check_pickles(
    name: str, weights: list[str], digests: dict[str, str | None], *, allow_pickle: bool
) -> None:
    # Refused before hundreds of megabytes are fetched; the file's own digest is checked when it is read.
    refused = [file for file in weights if file.endswith(".bin") and digests[file] not in PINNED]
    if refused and not allow_pickle:
        raise WeightsError(
            f"the hub's repository '{name}' has its weights only as a pickle ({refused[0]}), a format that "
            "may run code; use a checkpoint with model.safetensors, or trust this one with --allow-pickle"
        )


@dataclass(slots=True, kw_only=True)
class _Reply:
    done: threading.Event = field(default_factory=threading.Event)
    listing: Any = None
    error: Exception | None = None


def _ask(name: str) -> Any:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    reply = _Reply()

    def ask() -> None:
        try:
            reply.listing = api.model_info(name, timeout=REPLY_S - 2, files_metadata=True)
        except Exception as error:  # noqa: BLE001 - carried to the thread that waits
            reply.error = error
        reply.done.set()

    # A daemon, so that leaving the program does not wait for it either.
    threading.Thread(target=ask, name="embshift-hub", daemon=True).start()
    if not reply.done.wait(REPLY_S):
        _explain(name, TimeoutError(f"no answer in {REPLY_S:.0f} s"))
    if reply.error is not None:
        _explain(name, reply.error)
    return reply.listing


def _explain(name: str, error: Exception) -> NoReturn:
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    hub = os.environ.get("HF_ENDPOINT") or constants.ENDPOINT
    if isinstance(error, GatedRepoError):
        raise EncoderError(
            f"the hub gives '{name}' only to those who accepted its terms; "
            "accept them there, then run: hf auth login"
        ) from error
    if isinstance(error, RepositoryNotFoundError | HFValidationError):
        raise EncoderError(
            f"the hub at {hub} has no repository '{name}', and there is no folder of that name here; "
            "check the spelling (a private one needs: hf auth login)"
        ) from error
    raise OfflineError(
        f"encoder '{name}' is not in the local cache and the hub at {hub} does not answer "
        f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}); "
        "use --encoder lite, which needs no download, or download it on a connected machine with "
        f"'hf download {name} --local-dir FOLDER' and give --encoder FOLDER"
    ) from error
