"""Sources "library:name/weights": a network by the library's name for it, and where its weights are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embshift.core.addresses import to_one_line
from embshift.core.errors import EncoderError, MissingExtraError, OfflineError, UnknownNameError, WeightsError
from embshift.core.paths import input_path
from embshift.core.quiet import silence_libraries
from embshift.encoders.hub import find_hub_file

__all__ = ["Borrowed", "find_download", "find_local", "import_library", "read_source"]

_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Borrowed:
    """A source, taken apart.

    Attributes:
        source: As the user wrote it.
        name: The library's name of the network.
        weights: What follows the first slash: a file, or a name of weights; empty if nothing does.
    """

    source: str
    name: str
    weights: str


def read_source(source: str, /, *, known: Iterable[str], kind: str) -> Borrowed:
    """Take a source apart.

    Args:
        source: "library:name" or "library:name/weights".
        known: The library's names.
        kind: What they are names of, for the error.

    Raises:
        UnknownNameError: The library has no network of this name; the message offers the nearest.
    """
    name, _, weights = source.partition(":")[2].partition("/")
    known = list(known)
    if name not in known:
        raise UnknownNameError(kind, name, known)
    return Borrowed(source=source, name=name, weights=weights)


def import_library(load: Callable[[], Any], /, *, package: str, extra: str) -> Any:
    """Import a library that an extra brings.

    Args:
        load: Imports it and returns the module.
        package: The package that brings it, for the error.
        extra: The extra of this project.

    Raises:
        MissingExtraError: It is not installed.
        EncoderError: It cannot be imported.
    """
    try:
        with silence_libraries():
            return load()
    except ModuleNotFoundError:
        raise MissingExtraError(package, extra) from None
    except (ImportError, RuntimeError, OSError) as error:  # a torchvision of another release than torch
        raise EncoderError(
            f"{package} cannot be imported ({to_one_line(error)}); install torch and torchvision of one"
            " release, such as torch 2.14.1 and torchvision 0.29.1"
        ) from error


def find_local(borrowed: Borrowed, /, *, hint: str = "") -> Path:
    """Return the weight file that a source names.

    Args:
        borrowed: The source; its weights are a path.
        hint: What else may follow the slash, for the error.

    Raises:
        WeightsError: There is no such file, or its name does not end as that of a weight file.
    """
    file = Path(input_path(borrowed.weights))
    wanted = f"expected a file that ends in {', '.join(_SUFFIXES)}{hint}"
    if not file.is_file():
        found = "a folder" if file.is_dir() else "no file"
        rooted = Path("/", borrowed.weights)
        meant = borrowed.source.replace("/", "//", 1)
        more = f"; for '{rooted}' write '{meant}'" if rooted.is_file() else ""
        raise WeightsError(f"'{borrowed.weights}' in '{borrowed.source}' is {found}; {wanted}{more}")
    if file.suffix not in _SUFFIXES:
        raise WeightsError(f"'{file}' is not a weight file that embshift reads; {wanted}")
    return file


def find_download(
    borrowed: Borrowed, /, *, repository: str, files: tuple[str, ...], allow_pickle: bool
) -> Path:
    """Return the weight file of a hub repository, from the cache or downloaded.

    Args:
        borrowed: The source.
        repository: Name of the repository, "organisation/name".
        files: Its weight files, the preferred one first.
        allow_pickle: Whether a pickle that is not pinned may be downloaded.

    Raises:
        OfflineError: The file is not in the cache, and the hub does not answer.
        EncoderError: The hub has no such repository, or refuses access to it.
        WeightsError: The repository has none of the files, or only a pickle that is not allowed.
    """
    try:
        return find_hub_file(repository, files, allow_pickle=allow_pickle)
    except OfflineError as error:
        library = borrowed.source.partition(":")[0]
        raise OfflineError(
            f"the weights of '{borrowed.source}' are not in the local cache, and the hub does not answer; "
            f"download them on a connected machine with 'hf download {repository} {files[0]}' and use "
            f"--encoder {library}:{borrowed.name}/FILE, or use --encoder lite, which needs no download"
        ) from error
