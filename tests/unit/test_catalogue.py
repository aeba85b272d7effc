"""Names are read without importing anything, and are those of the registries."""

import math

import pytest

from embshift.cli.catalogue.constants import NotConstant, evaluate, parse_source
from embshift.cli.catalogue.kinds import KINDS, describe, entries, names, presets, registered_entries
from embshift.cli.catalogue.statements import read_module, read_statements
from embshift.cli.commands.lists import COLUMNS, LISTED, rows
from embshift.transforms.presets import list_preset_names, load_preset

FAMILY = KINDS["metrics"].family
STATED = 'bounds=(0.0, 1.0), identity=0.0, direction=Direction.LOWER, summary="s", blind_to="b"'
HEAD = "from embshift.core.types import Direction\nfrom embshift.metrics import METRICS, pixel_metric\n"


def read(text, *, head=HEAD):
    return read_module(parse_source("embshift.metrics.mine", head + text), FAMILY)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_read_is_what_is_registered(kind):
    fast, registered = read_statements(KINDS[kind].family), registered_entries(kind)
    assert list(fast) == list(registered)
    for name, entry in fast.items():
        for field in KINDS[kind].family.fields:
            if field != "strength":
                assert entry[field] == registered[name][field], (name, field)
    assert rows(kind, fast) == rows(kind, registered)


def test_presets_are_those_that_load():
    assert tuple(presets()) == list_preset_names()
    for name, content in presets().items():
        loaded = load_preset(name)
        assert (content["name"], content["summary"]) == (loaded.name, loaded.summary)
        assert [table["name"] for table in content["transform"]] == [each.name for each in loaded.transforms]
        shown = {row[0]: row[2] for row in rows("transforms") if row[1] == f"preset {name}"}
        for plan in loaded.transforms:
            given = ", ".join(f"{key}={value}" for key, value in plan.parameters.items())
            assert shown[plan.name] == f"{plan.target}({given})"


@pytest.mark.parametrize("kind", sorted(LISTED))
def test_every_row_fills_every_column(kind):
    assert rows(kind)
    assert {len(row) for row in rows(kind)} == {len(COLUMNS[kind])}
    assert {row[0] for row in rows(kind)} == {*names(kind)}
    assert all(describe(kind).values())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-3", -3),
        ("(1, 2.5)", (1, 2.5)),
        ("math.inf", math.inf),
        ("'a' 'b' + 'c'", "abc"),
        ("WORD", "word"),
        ("f'{WORD} and {WORD}'", "word and word"),
        ("Direction.HIGHER", "higher is closer"),
        ("DEFAULT_ENCODER", "openai/clip-vit-base-patch32"),
    ],
)
def test_constants_are_evaluated(text, value):
    head = "from embshift.core.types import Direction\n"
    head += "from embshift.measurement.plan.plan import DEFAULT_ENCODER\nWORD = 'word'\n"
    source = parse_source("embshift.mine", f"{head}{text}")
    assert evaluate(source.body[-1].value, source) == value


@pytest.mark.parametrize(
    "text",
    ["work()", "1 / 3", "1 + 'a'", "{1: 2}", "missing", "twice", "os.sep", "f'{1:g}'", "Direction.NONE"],
)
def test_anything_else_is_not(text):
    head = "import os\nfrom embshift.core.types import Direction\ntwice = 1\ntwice = 2\n"
    source = parse_source("embshift.mine", f"{head}{text}")
    with pytest.raises(NotConstant):
        evaluate(source.body[-1].value, source)


def test_a_decorated_function_is_read():
    text = f'@pixel_metric(name="mine", {STATED}, unit=compute())\ndef mine(reference, shifted):\n    pass\n'
    ((decorator, stated),) = read(text)
    assert decorator == ("embshift.metrics", "pixel_metric")
    assert (stated["name"], stated["direction"]) == ("mine", "lower is closer")
    assert "unit" not in stated


def test_a_variable_may_bear_a_decorators_name():
    assert read("def mine(pixel_metric):\n    return pixel_metric\n\nbefore = METRICS['l2']\n") == []


@pytest.mark.parametrize(
    "text",
    [
        f"for name in 'ab':\n    pixel_metric(name=name, {STATED})(min)\n",
        f"@pixel_metric(name='a'.upper(), {STATED})\ndef mine(): ...\n",
        "@pixel_metric(**stated)\ndef mine(): ...\n",
        f"if True:\n    @pixel_metric(name='a', {STATED})\n    def mine(): ...\n",
        f"def wrapped(name):\n    return pixel_metric(name=name, {STATED})\n",
        "import functools\n@functools.cache\ndef mine():\n    return pixel_metric\n",
        "METRICS.add('mine', None)\n",
        "import embshift.metrics\n",
        "from embshift import metrics\n",
        "from embshift.metrics import *\n",
        "from . import pair_metric\n",
        "def late():\n    from embshift.metrics import pair_metric\n",
    ],
)
def test_what_may_register_otherwise_is_not_read(text):
    with pytest.raises(NotConstant):
        read(text)


def test_an_installed_package_leaves_it_to_the_registry(tmp_path, monkeypatch):
    (tmp_path / "theirs-1.0.dist-info").mkdir()
    (tmp_path / "theirs-1.0.dist-info" / "entry_points.txt").write_text(
        "[embshift.metrics]\ntheirs = theirs\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NotConstant):
        read_statements(FAMILY)
    assert read_statements(KINDS["figures"].family)


def test_what_cannot_be_read_comes_from_the_registry(tmp_path, monkeypatch):
    (tmp_path / "archive.zip").touch()
    monkeypatch.syspath_prepend(tmp_path / "archive.zip")
    entries.cache_clear()
    try:
        assert entries("figures") == registered_entries("figures")
    finally:
        entries.cache_clear()
