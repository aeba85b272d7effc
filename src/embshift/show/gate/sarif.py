"""SARIF 2.1.0: each result located at its line of the budget file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from embshift.core.errors import UsageError
from embshift.core.version import __version__
from embshift.show.gate.words import Check, Content, name_check, sentence
from embshift.show.text.numbers import write_json
from embshift.show.text.words import make_visible

__all__ = ["SCHEMA", "write_sarif"]

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_RULES: Mapping[str, str] = {
    "broken": "A budget is broken: the bound of the mean lies beyond the limit.",
    "undecided": "A budget is not decided: the interval of the mean holds the limit.",
}


def write_sarif(content: Content) -> str:
    """Write the record as SARIF; a budget that holds gives no result.

    GitHub rejects a whole file in which one result has no location, so all must come from a file.

    Raises:
        UsageError: If a check comes from a requirement, which stands in no file.
    """
    for check in content["checks"]:
        if check["line"] is None:
            raise UsageError(
                f"--sarif locates every result in the budget file, and '{check['budget']}' stands in none;"
                " write it into the file, or leave --sarif out"
            )
    level = "error" if content["undecided"] == "fail" else "warning"
    found = [check for check in content["checks"] if check["verdict"] != "holds"]
    run = {
        "tool": {
            "driver": {
                "name": "embshift",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [
                    {"id": name, "name": name, "shortDescription": {"text": text}}
                    for name, text in _RULES.items()
                ],
            }
        },
        "invocations": [{"executionSuccessful": True, "exitCode": content["exit_code"]}],
        "results": [_result(check, undecided=level) for check in found],
        "columnKind": "unicodeCodePoints",
    }
    return write_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _result(check: Check, *, undecided: str) -> dict[str, Any]:
    key = f"{check['budget']}|{name_check(check)}"
    return {
        "ruleId": check["verdict"],
        "ruleIndex": list(_RULES).index(check["verdict"]),
        "level": "error" if check["verdict"] == "broken" else undecided,
        "message": {"text": f"{make_visible(check['budget'])}: {sentence(check)}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _address(check["source"])},
                    "region": {"startLine": check["line"]},
                }
            }
        ],
        "partialFingerprints": {"embshift/v1": key},
    }


def _address(path: str) -> str:
    """Return the path of a file as SARIF has it: relative to the working folder where it lies below."""
    below = os.path.relpath(path)
    if below.startswith(os.pardir):
        return Path(path).resolve().as_uri()
    return quote(below.replace(os.sep, "/"))
