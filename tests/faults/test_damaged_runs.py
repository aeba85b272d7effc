"""Damage of a run folder is called damage, and one repair is enough."""

import json
import shutil

import pytest

import embshift
from embshift.core.errors import RunError
from embshift.runs.record import check_record_seal
from embshift.runs.schema import TABLES
from embshift.runs.seal import BROKEN, SEALED, UNSEALED
from tests.faults.sessions import contents, measure, quickly, write_pictures
from tests.integration.command import invoke
from tests.integration.tables import assert_identical
from tests.synthetic_runs import Wanted, make_run


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Pictures and a finished run of them, not to be touched."""
    folder = tmp_path_factory.mktemp("damaged")
    pictures = write_pictures(folder / "pictures")
    with quickly():
        measure(pictures, folder / "run", keep_views=2)
    return folder


@pytest.fixture
def place(original, tmp_path):
    shutil.copytree(original / "run", tmp_path / "run")
    return tmp_path / "run"


def edit(run, change, *, sealed=False):
    """Change the record; without its seal, as a run of an earlier version would have none."""
    record = json.loads((run / "run.json").read_text())
    if not sealed:
        del record["seal"]
    change(record)
    (run / "run.json").write_text(json.dumps(record, indent=2) + "\n")


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(bytes(data))


def verify(run, **options):
    with quickly():
        return embshift.verify_run(run, inputs=False, **options)


# Records --------------------------------------------------------------------------------------------------


def test_a_record_is_sealed_and_any_changed_byte_breaks_the_seal(place):
    assert check_record_seal(place) == SEALED
    assert "seal" not in embshift.open_run(place).info
    whole = (place / "run.json").read_bytes()
    for at in range(0, len(whole), 211):
        flip(place / "run.json", at)
        assert check_record_seal(place) == BROKEN, at
        (place / "run.json").write_bytes(whole)


def test_a_field_that_nothing_else_checks_is_covered_by_the_seal(place):
    edit(place, lambda record: record.update(started="2001-01-01T00:00:00+00:00"), sealed=True)
    before = contents(place)
    verdict = verify(place, repair=True)
    assert [fault.message.split(":")[0] for fault in verdict.faults] == [
        "run.json has changed since it was written"
    ]
    assert (verdict.faults[0].repairable, verdict.dropped) == (False, None)
    assert contents(place) == before


def test_a_run_older_than_the_seal_is_sound_and_says_so(place):
    edit(place, lambda record: None)
    assert check_record_seal(place) == UNSEALED
    verdict = verify(place)
    assert (verdict.sound, verdict.sealed) == (True, False)
    assert str(verdict).endswith("\nsound, record unsealed")
    assert invoke("verify", str(place), "--folder-only", "-q").stdout == "sound, record unsealed\n"


WRONG = [
    *(("direction", value) for value in (None, 1e30, "up", ["higher is closer"])),
    *(("bounds", value) for value in (None, [1, -1], [0], ["0", 1], 1e30)),
    *(("unit", value) for value in (None, 1)),
    *(("identity", value) for value in ("1", [1])),
    *(("needs", value) for value in (None, -1, 1e30, 10**6)),
    *(("performance", value) for value in (None, 1)),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_field_that_decides_is_checked_by_verify_and_by_readers(place, field, value):
    edit(place, lambda record: record["metrics"][0].update({field: value}))
    (fault,) = verify(place).faults
    assert fault.kind == "record broken"
    assert f"metrics[0].{field} is " in fault.message
    with pytest.raises(RunError, match=rf"run\.json is damaged: metrics\[0\]\.{field} is "):
        embshift.open_run(place)
    for command in ("summarise", "report", "figures", "clusters"):
        result = invoke(command, str(place))
        assert (result.returncode, "Traceback" in result.stderr) == (2, False)


@pytest.mark.parametrize(
    ("field", "value"),
    [("direction", "lower is closer"), ("bounds", [0.0, 1.0]), ("unit", "px"), ("identity", 0.0)],
)
def test_what_a_registered_metric_states_is_known(place, field, value):
    edit(place, lambda record: record["metrics"][0].update({field: value}))
    (fault,) = verify(place).faults
    assert f"run.json states {field} {value!r} of metric cosine, which has" in fault.message


def test_a_metric_that_is_not_registered_may_state_anything_of_the_right_form(place):
    def rename(record):
        record["metrics"][0] |= {"name": "my_own", "unit": "px", "direction": "lower is closer"}

    edit(place, rename)
    assert not [fault for fault in verify(place).faults if "run.json states" in fault.message]


# Tables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["cut", "bit", "empty", "text", "gone"])
@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_damaged_table_is_called_damaged(place, table, how):
    path = place / table / "chunk-000000.parquet"
    whole = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "bit":
        flip(path, len(whole) // 3)
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"text" * 100}[how])
    shown = [invoke(command, str(place)) for command in ("summarise", "clusters", "report")]
    assert {result.returncode for result in shown} <= {0, 2}
    assert not any("Traceback" in result.stderr for result in shown)
    if table in ("images", "shifts", "embeddings") and (table, how) != ("images", "gone"):
        assert f"verify {place} --repair" in "".join(result.stderr for result in shown)


def test_a_table_of_another_run_is_not_taken(original, place, tmp_path):
    with quickly():
        measure(original / "pictures", tmp_path / "other", seed=1)
    shutil.copy(tmp_path / "other" / "shifts" / "chunk-000000.parquet", place / "shifts")
    with pytest.raises(RunError, match="it was made with another plan, encoder or version"):
        embshift.open_run(place).summary()


# Repair ---------------------------------------------------------------------------------------------------


def break_view(run):
    path = sorted((run / "views").glob("*/blur-0.png"))[0]
    path.write_bytes(b"no view")


BREAKS = {
    "view": break_view,
    "plan": lambda run: (run / "plan.toml").unlink(),
    "listing": lambda run: flip(run / "listing.parquet", 100),
    **{name: lambda run, name=name: flip(run / name / "chunk-000000.parquet", 50) for name in TABLES},
    "link": lambda run: (
        (run / "shifts" / "chunk-000001.parquet").rename(run / "shifts" / "away"),
        (run / "shifts" / "chunk-000001.parquet").symlink_to("away"),
    ),
}
_NAMES = list(BREAKS)
_PAIRS = [(one, other) for at, one in enumerate(_NAMES) for other in _NAMES[at + 1 :]]
_RING = {*zip(_NAMES, [*_NAMES[1:], _NAMES[0]], strict=True)}
PAIRS = [
    pair if pair in _RING or pair[::-1] in _RING else pytest.param(*pair, marks=pytest.mark.slow)
    for pair in _PAIRS
]
"""Every two kinds of damage; each kind is in two pairs that are not slow."""


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_one_repair_is_enough(original, place, one, other):
    BREAKS[one](place)
    BREAKS[other](place)
    assert not verify(place, repair=True).sound
    assert verify(place).sound
    with quickly():
        measure(original / "pictures", place, keep_views=2)
    assert str(verify(place)).endswith("\nsound")
    assert_identical(original / "run", place)
    assert contents(place / "views") == contents(original / "run" / "views")


def test_views_whose_digests_are_lost_are_made_again(original, place):
    for path in (place / "embeddings").iterdir():
        flip(path, 50)
    for path in (place / "views").glob("*/*.png"):
        path.write_bytes(b"no view")
    assert not verify(place, repair=True).sound
    assert verify(place).sound
    with quickly():
        measure(original / "pictures", place, keep_views=2)
    assert str(verify(place)).endswith("\nsound")
    assert contents(place / "views") == contents(original / "run" / "views")


def test_a_repair_removes_nothing_through_a_link(place, tmp_path):
    shutil.move(place / "views", tmp_path / "elsewhere")
    (place / "views").symlink_to(tmp_path / "elsewhere")
    break_view(place)
    before = contents(tmp_path / "elsewhere")
    verdict = verify(place, repair=True)
    assert {fault.kind for fault in verdict.faults} == {"place taken"}
    assert "move the whole run folder there and link that" in verdict.faults[0].message
    assert contents(tmp_path / "elsewhere") == before


# Names and targets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["[/foo]", "[bold]x", "a[/]b", ":smile:", "[link=x]y"])
def test_names_are_printed_as_they_are(tmp_path, name):
    run = make_run(tmp_path / "run", Wanted(transforms=(name, "blur"), images=4, views=False))
    for words in (("summarise",), ("summarise", "--show", "structure"), ("clusters",)):
        result = invoke(words[0], str(run.folder), *words[1:])
        assert result.returncode == 0, result.stderr
        assert name in result.stdout
    assert name in str(run.summary())
    assert name in str(run.clusters())


@pytest.mark.parametrize("name", ["run.json", "plan.toml", "listing.parquet", "images/chunk-000000.parquet"])
def test_a_report_does_not_replace_results(place, name):
    before = contents(place)
    result = invoke("report", str(place), "--out", str(place / name))
    assert result.returncode == 2
    assert "is among the results of the run" in result.stderr
    assert contents(place) == before


def test_nor_do_figures(place):
    before = contents(place)
    result = invoke("figures", str(place), "--only", "clustermap", "--out", str(place / "views"))
    assert (result.returncode, contents(place)) == (2, before)
