"""JUnit: a test case for each check; a broken budget is a failure, an undecided one an error."""

import re
from xml.etree import ElementTree

from embshift.core.version import __version__
from embshift.show.gate.words import Check, Content, headline, name_check, sentence
from embshift.show.text.words import make_visible

__all__ = ["NAME", "write_junit"]

NAME = "embshift check"

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold, e.g. those that stand for bytes of a file's name."""


def write_junit(content: Content) -> str:
    """Write the record as JUnit XML, in the form of pytest's own schema (xunit2).

    An undecided budget is an error only where it fails the gate; else it passes, with its reason as output.
    """
    checks, fails = content["checks"], content["undecided"] == "fail"
    counts = content["counts"]
    numbers = {
        "errors": str(counts["undecided"] if fails else 0),
        "failures": str(counts["broken"]),
        "skipped": "0",
        "tests": str(len(checks)),
        "time": "0.000",
    }
    root = ElementTree.Element("testsuites", name=NAME)
    suite = ElementTree.SubElement(root, "testsuite", {"name": NAME, **numbers})
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(content).items():
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    for check in checks:
        _add_case(suite, check, fails=fails)
    ElementTree.SubElement(suite, "system-out").text = _clean(
        "\n".join([headline(content), *content["notes"]])
    )
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _properties(content: Content) -> dict[str, str]:
    found = {"embshift": __version__, "run": content["run"]["path"], "encoder": content["run"]["encoder"]}
    if content["baseline"] is not None:
        found |= {
            "baseline": content["baseline"]["path"],
            "baseline digest": content["baseline"]["fingerprint"],
        }
    return found


def _add_case(suite: ElementTree.Element, check: Check, *, fails: bool) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=_clean(make_visible(check["budget"])),
        name=_clean(name_check(check)),
        time="0.000",
    )
    text = _clean(sentence(check))
    if check["verdict"] == "broken":
        ElementTree.SubElement(case, "failure", message=text, type="broken").text = text
    elif check["verdict"] == "undecided" and fails:
        ElementTree.SubElement(case, "error", message=text, type="undecided").text = text
    else:
        ElementTree.SubElement(case, "system-out").text = text


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
