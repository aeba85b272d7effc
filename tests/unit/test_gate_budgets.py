"""Budget files and requirements: read as written, and refused with file, line and key."""

import re

import pytest

from embshift.analysis.gate.budgets import read_gate
from embshift.analysis.gate.requirements import read_requirement
from embshift.analysis.gate.toml_lines import find_key, find_tables
from embshift.core.errors import BudgetError

WHOLE = '''\
# [[budget]]
[gate]
baseline = "base/line.parquet"
level = 0.9
undecided = "warn"
min_images = 100

[[budget]]
name = """
[[budget]]
at_most = 1
"""
transforms = ["jpeg_s*"]
statistic = "recall_at_1"
at_least = 0.98

[[ "budget" ]]   # another
name = "fine-tune not worse"
statistic = "relative_shift"
worse_by_at_most = 0.01
allow = "prepared"
[[budget]]
scope = "panel"
statistic = "same_image_shift"
at_most = 1e-5
'''


def write(folder, text):
    path = folder / "budget.toml"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_budget_file_is_read_with_its_lines(tmp_path, ends):
    gate = read_gate(write(tmp_path, WHOLE.replace("\n", ends)))
    assert (gate.level, gate.undecided, gate.min_images) == (0.9, "warn", 100)
    assert gate.baseline == str(tmp_path / "base/line.parquet")
    one, two, three = gate.budgets
    assert [each.line for each in gate.budgets] == [8, 17, 22]
    assert (one.transforms, one.statistic, one.kind, one.limit) == (
        ("jpeg_s*",),
        "recall_at_1",
        "at_least",
        0.98,
    )
    assert (two.name, two.transforms, two.kind, two.allow) == (
        "fine-tune not worse",
        ("*",),
        "worse_by_at_most",
        "prepared",
    )
    assert (three.scope, three.transforms, three.limit) == ("panel", (), 1e-5)
    assert [each.compares for each in gate.budgets] == [False, True, True]


def test_budgets_in_one_array_stand_at_its_line(tmp_path):
    one, two = '{statistic = "relative_shift", at_most = 1}', '{statistic = "recall_at_1", at_least = 0}'
    text = f"# first\nbudget = [{one}, {two}]\n"
    assert [each.line for each in read_gate(write(tmp_path, text)).budgets] == [2, 2]


def test_lines_inside_strings_and_arrays_are_no_headers():
    text = "a = '''\n[[budget]]\n'''\nb = [\n[['budget']],\n]\n[[budget]]\nc = 1\n"
    assert find_tables(text, "budget") == (7,)
    assert find_key(text, "c", start=7) == 8
    assert find_key(text, "b", start=0) == 4
    assert find_key(text, "nowhere", start=7) == 7


BUDGET = '[[budget]]\nstatistic = "recall_at_1"\nat_least = 0.9\n'


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "expected one [[budget]] or more"),
        ("[gates]\n" + BUDGET, 1, "gates: unknown table 'gates'; did you mean 'gate'?"),
        ("[gate]\nlevel = 95\n" + BUDGET, 2, "level: 95; expected a number above 0.5 and below 1"),
        ("[gate]\nundecided = 'pass'\n" + BUDGET, 2, "undecided: 'pass'; expected 'fail' or 'warn'"),
        ("[gate]\n\nmin_images = true\n" + BUDGET, 3, "min_images: True; expected a whole number"),
        ("[gate]\nbaseline = 3\n" + BUDGET, 2, "baseline: 3 is not a path"),
        (
            BUDGET + "at_mots = 3\n",
            4,
            "at_mots: unknown key of [[budget]] 'at_mots'; did you mean 'at_most'?",
        ),
        (
            BUDGET + "at_most = 3\n",
            3,
            "at_least: 2 limits; expected one of at_most, at_least, worse_by_at_most",
        ),
        (BUDGET + '[[budget]]\nstatistic = "recall_at_1"\n', 4, "no limit; expected one of at_most"),
        ("[[budget]]\nat_most = 1\n", 1, "no statistic; expected relative_shift, "),
        (
            BUDGET.replace("_1", ""),
            2,
            "statistic: unknown statistic 'recall_at'; did you mean 'recall_at_1'?",
        ),
        (BUDGET.replace("0.9", "98"), 3, "at_least: 98 for recall_at_1; expected a number from 0 to 1"),
        (BUDGET.replace("0.9", "nan"), 3, "at_least: nan; expected a number"),
        (BUDGET.replace("0.9", "true"), 3, "at_least: True; expected a number"),
        (BUDGET + "transforms = []\n", 4, "transforms: []; expected names of transforms"),
        (BUDGET + "transforms = [1]\n", 4, "transforms: [1]; expected names of transforms"),
        (BUDGET + "allow = 'all'\n", 4, "allow: 'all'; expected 'exact' or 'prepared'"),
        (BUDGET + "scope = 'image'\n", 4, "scope: 'image'; expected 'transforms' or 'panel'"),
        (BUDGET + "name = ' '\n", 4, "name: ' '; expected a string"),
        (BUDGET.replace("at_least = 0.9", "worse_by_at_most = 0"), 3, "worse_by_at_most: 0 for recall_at_1"),
        (
            "[[budget]]\nscope = 'panel'\nstatistic = 'same_picture_shift'\nat_most = 1\n",
            3,
            "statistic: unknown statistic 'same_picture_shift'; did you mean 'same_image_shift'?",
        ),
        (
            "[[budget]]\nstatistic = 'neighbour_overlap'\nworse_by_at_most = 0.1\n",
            3,
            "worse_by_at_most: neighbour_overlap already compares with the baseline",
        ),
        (
            "[[budget]]\nstatistic = 'neighbour_overlap'\nat_least = 0.1\ntransforms = ['blur']\n",
            4,
            "transforms: the panel is of originals; expected no transforms",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, line, message):
    path = write(tmp_path, text)
    with pytest.raises(BudgetError, match=re.escape(message)) as caught:
        read_gate(path)
    assert str(caught.value).startswith(f"{path}, line {line}")


def test_a_file_that_is_missing_or_no_toml_is_refused(tmp_path):
    with pytest.raises(BudgetError, match=r"budget file .*none\.toml cannot be read: No such file"):
        read_gate(tmp_path / "none.toml")
    with pytest.raises(BudgetError, match=r"is not TOML: .*line 2"):
        read_gate(write(tmp_path, "[gate]\nlevel = \n"))


def test_requirements_are_the_same_budgets():
    one = read_requirement("recall_at_1(jpeg_s*, blur) >= 0.98")
    assert (one.transforms, one.kind, one.limit, one.line) == (("jpeg_s*", "blur"), "at_least", 0.98, None)
    two = read_requirement(" relative_shift ( * ) <= baseline + 1e-2")
    assert (two.transforms, two.kind, two.limit) == (("*",), "worse_by_at_most", 0.01)
    three = read_requirement("recall_at_1(*)>=baseline-0.01")
    assert (three.kind, three.limit) == ("worse_by_at_most", 0.01)
    four = read_requirement("same_image_shift <= 1e-5")
    assert (four.scope, four.transforms, four.kind) == ("panel", (), "at_most")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recall", "not a requirement; expected e.g."),
        ("recall_at_1(*) > 0.9", "'>'; expected <= or >="),
        ("recall_at_1(*) >= much", "'much' is not a number; expected one"),
        ("recall_at_1(*) >= baseline", "expected one, e.g. 0.98, or 'baseline - 0.01'"),
        ("same_image_shift(*) <= 1e-5", "expected 'same_image_shift' without parentheses"),
        ("recall_at_1 >= 0.9", "no transforms; expected 'recall_at_1(*)'"),
        ("recal_at_1(*) >= 0.9", "did you mean 'recall_at_1'?"),
        ("recall_at_1() >= 0.9", "expected names of transforms"),
        ("recall_at_1(*) >= baseline + 0.01", "expected '>= baseline - …', since that is the worse side"),
        ("relative_shift(*) >= baseline - 0.01", "expected '<= baseline + …'"),
        ("same_image_shift >= baseline - 0.01", "already compares with the baseline"),
    ],
)
def test_a_wrong_requirement_is_refused(text, message):
    with pytest.raises(BudgetError, match=re.escape(message)):
        read_requirement(text)
