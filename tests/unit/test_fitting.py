"""Tables are never cut, however many metrics a run has."""

import re

import pytest
from rich.table import Table
from rich.text import Text

from embshift.cli.output.terminal import print_table
from embshift.metrics import METRICS
from embshift.show.text.fitting import natural_width, split_table
from embshift.show.text.markup import open_console, open_table
from embshift.show.text.summary import format_summary, summary_table
from tests.synthetic_runs import Wanted, make_run


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    wanted = Wanted(images=3, metrics=tuple(METRICS), views=False, maps=False)
    return make_run(tmp_path_factory.mktemp("fitting") / "run", wanted).summary()


def check_all_numbers(summary, text):
    """Every mean and deviation is there, whole."""
    words = set(re.findall(r"[\d.]+", text))
    assert "…" not in text
    for row in summary.rows:
        assert row.transform in text
        for cell in row.cells.values():
            for value in (cell.mean, cell.deviation):
                assert (f"{value:.4f}" if value < 10 else f"{value:.4g}") in words


def test_a_pipe_gets_whole_lines(summary, capsys):
    assert len(summary.metrics) > 10
    print_table(summary_table(summary), stacked=summary_table(summary, stacked=True))
    text = capsys.readouterr().out
    check_all_numbers(summary, text)
    assert sum(line.split()[:1] == ["blur"] for line in text.splitlines()) == 1


def test_a_formatted_table_is_whole(summary):
    check_all_numbers(summary, format_summary(summary, style="table"))


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("stacked", [False, True])
def test_parts_fit_a_narrow_terminal(summary, width, stacked):
    parts = split_table(summary_table(summary, stacked=stacked), width=width)
    console = open_console(width=200, no_color=True)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    check_all_numbers(summary, capture.get())
    for part in parts:
        assert part.columns[0].header == "transform"
        assert natural_width(part) <= width or len(part.columns) == 2
    assert sum(len(part.columns) - 1 for part in parts) == len(summary.metrics) + 3
    assert [bool(part.caption) for part in parts] == [False] * (len(parts) - 1) + [True]


def test_a_table_that_fits_stays_as_it_is():
    table = Table("transform", "a", caption="c")
    assert split_table(table, width=80) == (table,)


def test_parts_keep_rows_styles_and_marks():
    table = open_table("c")
    for name in ("first", "second", "p", "q"):
        table.add_column(name, no_wrap=True)
    table.add_row("a", "b", "1" * 20, Text("2" * 20, style="bold"), style="bold")
    table.add_row("c", "d", "3" * 20, "4" * 20)
    one, other = split_table(table, width=40)
    assert [column.header for column in one.columns] == ["first", "second", "p"]
    assert [column.header for column in other.columns] == ["first", "second", "q"]
    assert [row.style for row in one.rows] == ["bold", None]
    assert list(other.columns[2].cells) == [Text("2" * 20, style="bold"), "4" * 20]
