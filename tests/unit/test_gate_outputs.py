"""Outputs of a check: every one made from the JSON record, in the form that its readers expect."""

import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

import embshift
from embshift.core.errors import UsageError
from embshift.show.gate.junit import write_junit
from embshift.show.gate.markdown import write_markdown
from embshift.show.gate.sarif import write_sarif
from embshift.show.gate.table import check_table
from embshift.show.gate.words import headline, rank_checks, sentence
from embshift.show.text.markup import open_console
from embshift.show.text.numbers import write_json
from tests.synthetic_runs import Wanted, make_run

BUDGETS = """\
[gate]
undecided = "fail"

[[budget]]
name = "shifts | little <b>"
statistic = "relative_shift"
at_most = {limit}

[[budget]]
name = "found"
transforms = ["noise"]
statistic = "recall_at_1"
at_least = 0.5

[[budget]]
name = "broken"
transforms = ["elastic"]
statistic = "relative_shift"
at_most = 0.001
"""


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    wanted = Wanted(images=40, metrics=("cosine",), views=False, maps=False)
    run = make_run(folder / "run", wanted)
    mean = embshift.check(run, require="relative_shift(blur) <= 1").checks[0].value
    (folder / "budget.toml").write_text(BUDGETS.format(limit=1.05 * mean))
    return embshift.check(run, folder / "budget.toml")


@pytest.fixture(scope="module")
def content(record):
    """The record as a reader of the JSON file has it."""
    return json.loads(write_json(record.content()))


def test_the_record_is_whole_and_counts(record, content):
    assert content["format"] == "embshift check 1"
    assert (content["verdict"], content["exit_code"]) == ("broken", 1)
    counts = content["counts"]
    assert sum(counts.values()) == len(content["checks"]) == len(record.checks) == 11
    assert min(counts.values()) > 0, "one of each, for the tests below"
    assert content["checks"][0]["line"] == 4
    assert content["checks"][0]["baseline_mean"] is None
    assert headline(content).startswith("a budget is broken: ")


# What JUnit's schema (junit-10.xsd, by which pytest tests its own files) allows below each element.
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testsuite", "properties", "testcase", "system-out", "system-err"},
    "properties": {"property"},
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
}
REQUIRED = {
    "testsuite": {"name", "tests", "failures", "errors"},
    "testcase": {"name"},
    "property": {"name", "value"},
}
ALLOWED = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {
        *REQUIRED["testsuite"],
        "group",
        "time",
        "skipped",
        "timestamp",
        "hostname",
        "id",
        "package",
    },
    "testcase": {"name", "time", "classname", "group"},
    "property": {"name", "value"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
}


def check_junit(text):
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        assert REQUIRED.get(element.tag, set()) <= {*element.attrib} <= ALLOWED.get(element.tag, set())
        assert re.fullmatch(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]{0,3})?", element.get("time", ""))
    return root


@pytest.mark.parametrize("undecided", ["fail", "warn"])
def test_junit_has_a_case_for_each_check(content, undecided):
    root = check_junit(write_junit({**content, "undecided": undecided}))
    suite, counts = root[0], content["counts"]
    cases = list(suite.iter("testcase"))
    assert len(cases) == int(suite.get("tests")) == len(content["checks"])
    assert len(list(suite.iter("failure"))) == int(suite.get("failures")) == counts["broken"]
    errors = counts["undecided"] if undecided == "fail" else 0
    assert len(list(suite.iter("error"))) == int(suite.get("errors")) == errors
    assert cases[0].get("classname") == "shifts | little <b>"


def test_junit_holds_no_character_that_xml_forbids(content):
    checks = [{**content["checks"][0], "budget": "a\x00\ufffeb"}]
    text = write_junit({**content, "checks": checks})
    assert check_junit(text.encode("utf-8"))[0][1].get("classname") == "a␀\ufffdb"


def test_no_output_holds_a_character_that_hides_or_moves_text(content):
    name = "a\x07 \u202eb \n c"
    content = {**content, "checks": [{**one, "budget": name} for one in content["checks"]]}
    shown = io.StringIO()
    open_console(file=shown, width=300).print(check_table(content))
    results = json.loads(write_sarif(content))["runs"][0]["results"]
    texts = [write_junit(content), write_markdown(content), shown.getvalue(), results[0]["message"]["text"]]
    for text in texts:
        assert "⟨U+202E⟩b" in text
        assert not {"\x07", "\u202e"} & {*text}
    assert "a␇ ⟨U+202E⟩b ␊ c" in shown.getvalue()


def test_a_link_ends_where_it_ends(content):
    link = "https://example.org/a b/(c)?d=<e>&f=%20"
    assert "[more](https://example.org/a%20b/%28c%29?d=%3Ce%3E&f=%20)" in write_markdown(content, link=link)


def test_markdown_shows_the_worst_five(content):
    text = write_markdown(content, link="https://example.org/run")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(lines) == 2 + 5
    assert "❌ broken" in lines[2]
    assert "shifts \\| little \\<b\\>" in text
    assert re.search(r"6 more checks in the JSON record", text)
    assert "[more](https://example.org/run)" in text
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_the_worst_check_comes_first(content):
    ranked = rank_checks(content)
    assert [one["verdict"] for one in ranked] == sorted(
        (one["verdict"] for one in content["checks"]), key=["broken", "undecided", "holds"].index
    )
    excess = [
        one["value"] / one["limit"]
        for one in ranked
        if one["verdict"] == "broken" and one["kind"] == "at_most"
    ]
    assert excess == sorted(excess, reverse=True)
    assert "would decide" in sentence(next(one for one in ranked if one["verdict"] == "undecided"))


def check_sarif(text):
    """The part of the schema, and of what GitHub asks for, that the file can break."""
    found = json.loads(text)
    assert found["version"] == "2.1.0"
    assert "sarif" in found["$schema"]
    (run,) = found["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning")
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["region"]["startLine"] >= 1
        assert re.fullmatch(r"[\w./%:-]+", place["artifactLocation"]["uri"])
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
    keys = [result["partialFingerprints"]["embshift/v1"] for result in run["results"]]
    assert len(set(keys)) == len(keys)
    return run["results"]


def test_sarif_locates_every_result_at_its_line(record, content, monkeypatch):
    results = check_sarif(write_sarif(content))
    assert len(results) == content["counts"]["broken"] + content["counts"]["undecided"]
    lines = {result["locations"][0]["physicalLocation"]["region"]["startLine"] for result in results}
    assert {4, 15} <= lines
    monkeypatch.chdir(record.budget.rpartition("/")[0])
    address = check_sarif(write_sarif(content))[0]["locations"][0]["physicalLocation"]["artifactLocation"][
        "uri"
    ]
    assert address == "budget.toml"


def test_sarif_of_a_requirement_is_refused(record):
    content = replace(record, checks=(replace(record.checks[0], line=None),)).content()
    with pytest.raises(UsageError, match="--sarif locates every result in the budget file"):
        write_sarif(content)


def test_every_output_shows_on_which_side_of_its_limit_a_bound_lies(content):
    check = next(one for one in content["checks"] if one["verdict"] == "holds")
    near = check | {
        "kind": "at_most",
        "limit": 0.1,
        "verdict": "broken",
        "value": 0.10021,
        "joint_bound": 0.10003,
    }
    held = check | {"kind": "at_most", "limit": 0.1, "value": 0.09, "bound": 0.09998}
    changed = content | {"checks": [near, held]}
    assert "it is 0.1002, bound 0.10003" in sentence(near)
    assert "bound 0.09998" in sentence(held)
    shown = io.StringIO()
    open_console(file=shown, width=300).print(check_table(changed))
    for text in (shown.getvalue(), write_markdown(changed), write_junit(changed)):
        assert "0.10003" in text
        assert "0.1000 " not in text
    assert "0.09998" in write_markdown(changed)
