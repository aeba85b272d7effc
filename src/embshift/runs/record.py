"""Records of a run folder, ``run.json`` and ``match.json``: sealed JSON files.

The seal is a SHA-256 over the file's bytes, with the seal's own digits as zeros. It stands last.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embshift.runs.files import format_json, read_json, write_text
from embshift.runs.places import file_in
from embshift.runs.seal import BROKEN, SEALED, UNSEALED

__all__ = ["MATCH", "RECORD", "VIEWS", "check_record_seal", "read_record_file", "write_record_file"]

RECORD, MATCH = "run.json", "match.json"

VIEWS = "views.json"
"""Name of the file that makes a folder one of written views."""

_KEY, _ZEROS = "seal", "0" * 64
_ENTRY = re.compile(rb'"seal": "([0-9a-f]{64})"\s*\}\s*\Z')


def write_record_file(folder: Path, content: Mapping[str, Any], *, name: str = RECORD) -> None:
    """Write a record with its seal, completely or not at all.

    Args:
        folder: The run folder.
        content: What it holds; a seal in it is replaced.
        name: `RECORD` or `MATCH`.

    Raises:
        RunError: If a link, a folder or something else has the name of the file.
        StorageError: If it cannot be written.
        ValueError: If it holds NaN.
    """
    rest = {key: value for key, value in content.items() if key != _KEY}
    text = format_json({**rest, _KEY: _ZEROS})
    start, _, end = text.rpartition(_ZEROS)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    write_text(file_in(folder, name), f"{start}{digest}{end}")


def read_record_file(folder: Path, *, name: str = RECORD) -> dict[str, Any]:
    """Return what a record holds, without its seal.

    Raises:
        OSError: If it cannot be read.
        RunError: If a link, a folder or something else has the name of the file.
        ValueError: If it is not a JSON object.
    """
    content = read_json(file_in(folder, name))
    return {key: value for key, value in content.items() if key != _KEY}


def check_record_seal(folder: Path, *, name: str = RECORD) -> str:
    """Return whether a record is as it was written: `SEALED`, `BROKEN`, or `UNSEALED` if it holds no seal.

    Raises:
        OSError: If it cannot be read.
        RunError: If a link, a folder or something else has the name of the file.
    """
    content = file_in(folder, name).read_bytes()
    found = _ENTRY.search(content)
    if found is None:
        return BROKEN if b'"seal"' in content else UNSEALED
    whole = content[: found.start(1)] + _ZEROS.encode() + content[found.end(1) :]
    return SEALED if hashlib.sha256(whole).hexdigest().encode() == found[1] else BROKEN
