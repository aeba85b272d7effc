"""Each format says the same as the summary, and is read back by what reads that format."""

import csv
import io
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from embshift.analysis.embeddings.clusters import cluster_transforms
from embshift.analysis.shifts.table import Cell, Summary, SummaryRow
from embshift.cli.main import main
from embshift.core.errors import PlanError, UnknownNameError
from embshift.metrics import METRICS
from embshift.show.text.numbers import format_cell, spell_beside
from embshift.show.text.paper_table import format_paper_table
from embshift.show.text.summary import FORMATS, format_clusters, format_summary, summary_html

NAN = math.nan
NAMES = ("cosine", "l2")
SPECS = tuple(METRICS[name].spec for name in NAMES)


def row(name, *cells, overall=0.5, rank=1):
    return SummaryRow(transform=name, cells=dict(zip(NAMES, cells)), overall=overall, rank=rank)


def cell(mean=0.123456789, deviation=0.01, n=7, undefined=0):
    return Cell(mean=mean, deviation=deviation, n=n, undefined=undefined)


SUMMARY = Summary(
    metrics=SPECS,
    map_name="attention map",
    rows=(
        row("colour_jitter", cell(), cell(12.3456789, 1.5), overall=0.1 + 0.2, rank=2),
        row("blur", cell(0.9, NAN, 1), cell(0.5, 0.25, 6, 1), overall=0.9, rank=1),
        row("none", cell(NAN, NAN, 0, 7), cell(3.0), overall=NAN, rank=None),
    ),
)
CLUSTERS = cluster_transforms(
    np.array([0.1, 0.5, 0.123456789012]),
    n=np.array([3, 2, 3]),
    transforms=("noise", "blur_a", "flip"),
    distance="cosine",
    method="ward",
)


def renamed(name):
    return replace(SUMMARY, rows=(replace(SUMMARY.rows[0], transform=name),))


@pytest.mark.parametrize("style", FORMATS)
def test_every_format_names_every_transform_and_ends_without_a_line_feed(style):
    text = format_summary(SUMMARY, style=style)
    assert all(
        name.replace("_", "\\_" if style == "latex" else "_") in text for name in ("colour_jitter", "blur")
    )
    assert not text.endswith("\n")
    assert format_clusters(CLUSTERS, style=style)


@pytest.mark.parametrize("form", [format_summary, format_clusters])
def test_an_unknown_format_offers_the_nearest(form):
    with pytest.raises(UnknownNameError, match="unknown format 'markdwn'; did you mean 'markdown'"):
        form(SUMMARY if form is format_summary else CLUSTERS, style="markdwn")


class TestCsv:
    def test_holds_full_precision_and_leaves_undefined_empty(self):
        first, second, third = csv.DictReader(io.StringIO(format_summary(SUMMARY, style="csv")))
        assert float(first["cosine_mean"]) == 0.123456789
        assert float(first["overall"]) == 0.1 + 0.2
        assert (first["l2_n"], first["rank"]) == ("7", "2")
        assert (second["cosine_deviation"], second["l2_undefined"]) == ("", "1")
        assert (third["cosine_mean"], third["overall"], third["rank"]) == ("", "", "")
        assert list(first)[:5] == [
            "transform",
            "cosine_mean",
            "cosine_deviation",
            "cosine_n",
            "cosine_undefined",
        ]

    @pytest.mark.parametrize("name", ["=1+1", "+1", "@SUM(A1)", "-2+3", "\t=1", '=HYPERLINK("x","y")'])
    def test_a_cell_never_begins_like_a_formula(self, name):
        (found,) = csv.DictReader(io.StringIO(format_summary(renamed(name), style="csv"), newline=""))
        assert found["transform"] == f"'{name}"

    def test_a_negative_number_stays_a_number(self):
        summary = replace(SUMMARY, rows=(row("a", cell(-0.5), cell()),))
        (found,) = csv.DictReader(io.StringIO(format_summary(summary, style="csv")))
        assert float(found["cosine_mean"]) == -0.5

    def test_separators_and_quotes_in_a_name(self):
        (found,) = csv.DictReader(io.StringIO(format_summary(renamed('a,"b"'), style="csv")))
        assert found["transform"] == 'a,"b"'

    def test_clusters(self):
        rows = list(csv.DictReader(io.StringIO(format_clusters(CLUSTERS, style="csv"))))
        square = {(one["transform"], name): float(one[name]) for one in rows for name in CLUSTERS.transforms}
        for first, name in enumerate(CLUSTERS.transforms):
            for second, other in enumerate(CLUSTERS.transforms):
                assert square[name, other] == CLUSTERS.square[first, second]
        assert {one["transform"]: int(one["cluster"]) for one in rows} == dict(
            zip(CLUSTERS.transforms, CLUSTERS.labels.tolist())
        )


class TestJson:
    def test_holds_full_precision_and_undefined_is_null(self):
        def refuse(word):
            raise AssertionError(word)

        found = json.loads(format_summary(SUMMARY, style="json"), parse_constant=refuse)
        assert [metric["name"] for metric in found["metrics"]] == list(NAMES)
        first, second, third = found["transforms"]
        assert first["metrics"]["cosine"] == {"mean": 0.123456789, "deviation": 0.01, "n": 7, "undefined": 0}
        assert second["metrics"]["cosine"]["deviation"] is None
        assert third["metrics"]["cosine"] == {"mean": None, "deviation": None, "n": 0, "undefined": 7}
        assert (third["overall"], third["rank"]) == (None, None)

    def test_infinity_is_null_too(self):
        summary = replace(SUMMARY, rows=(row("a", cell(math.inf), cell()),))
        found = json.loads(format_summary(summary, style="json"))
        assert found["transforms"][0]["metrics"]["cosine"]["mean"] is None

    def test_clusters_come_back_as_they_are(self):
        found = json.loads(format_clusters(CLUSTERS, style="json"))
        assert found["condensed"] == CLUSTERS.condensed.tolist()
        assert found["square"] == CLUSTERS.square.tolist()
        assert found["tree"] == CLUSTERS.tree.tolist()
        assert found["labels"] == CLUSTERS.labels.tolist()
        assert (found["n"], found["order"]) == ([3, 2, 3], list(CLUSTERS.order))
        assert (found["threshold"], found["linkage"]) == (CLUSTERS.threshold, "ward")
        assert found["note"] == CLUSTERS.note != ""


def markdown_rows(text):
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines()]
    return [[part.strip().replace("\\|", "|") for part in line] for line in lines]


class TestMarkdown:
    def test_is_a_table(self):
        header, rule, *rows = markdown_rows(format_summary(SUMMARY, style="markdown"))
        assert header == ["transform", "cosine", "l2", "overall", "rank", "n"]
        assert all(set(part) <= {"-", ":"} for part in rule)
        assert [len(line) for line in [rule, *rows]] == [6] * 4
        assert rows[0] == ["colour_jitter", "0.1235 ± 0.0100", "12.35 ± 1.5000", "0.3000", "2", "7"]
        assert rows[2][1] == "–"
        assert rows[1][-1] == "6 / 1"

    def test_a_bar_in_a_name_makes_no_cell(self):
        assert markdown_rows(format_summary(renamed("a|b"), style="markdown"))[2][0] == "a|b"

    def test_clusters(self):
        header, _, *rows = markdown_rows(format_clusters(CLUSTERS, style="markdown"))
        assert header[:2] == ["transform", "cluster"]
        assert [line[0] for line in rows] == header[2:] == [CLUSTERS.transforms[at] for at in CLUSTERS.order]


class TestLatex:
    def test_is_a_tabular_with_as_many_columns(self):
        lines = format_summary(SUMMARY, style="latex").splitlines()
        assert (lines[0], lines[-1]) == (r"\begin{tabular}{lrrrrr}", r"\end{tabular}")
        assert (lines[1], lines[3], lines[-2]) == (r"\toprule", r"\midrule", r"\bottomrule")
        body = [line for line in lines if line.endswith("\\\\")]
        assert len(body) == 4
        assert all(len(re.split(r"(?<!\\)&", line)) == 6 for line in body)
        assert r"$0.123 \pm 0.010$" in body[1]
        assert body[3].startswith("none & -- &")

    def test_what_means_something_to_it_is_escaped(self):
        line = format_summary(renamed("a_b%c&d#e$f{g}h\\i~j^k"), style="latex").splitlines()[4]
        name = r"a\_b\%c\&d\#e\$f\{g\}h\textbackslash{}i\textasciitilde{}j\textasciicircum{}k"
        assert line.startswith(name + " & ")

    def test_digits_follow_the_deviation_and_the_best_is_bold(self):
        head, first, second, third = [
            line.removesuffix(" \\\\").split(" & ")
            for line in format_summary(SUMMARY, style="latex").splitlines()
            if line.endswith("\\\\")
        ]
        assert all("similarity" not in name for name in head)
        assert (head[0], head[-3:]) == ("transform", ["overall", "rank", "n"])
        assert [len(row) for row in (head, first, second, third)] == [6] * 4
        for at, spec in enumerate(SPECS, start=1):
            bold = [row[0] for row in (first, second, third) if "mathbf" in row[at]]
            assert bold == [name.replace("_", "\\_") for name in sorted(SUMMARY.closest(spec.name))]
            places = {
                len(number.partition(".")[2]) for row in (first, second) for number in numbers_of(row[at])
            }
            assert len(places) == 1

    def test_columns_caption_and_label_are_chosen(self):
        name = SPECS[1].name
        text = format_paper_table(SUMMARY, columns=["n", name], caption="a % b", label="tab:x")
        lines = text.splitlines()
        assert lines[:4] == [
            r"\begin{table}",
            r"\centering",
            r"\caption{a \% b}",
            r"\label{tab:x}",
        ]
        assert lines[4] == r"\begin{tabular}{lrr}"
        assert lines[-1] == r"\end{table}"
        assert lines[6].startswith("transform & n & ")

    def test_a_wrong_column_or_label_is_refused(self):
        with pytest.raises(UnknownNameError, match="unknown column 'overall_'; did you mean 'overall'"):
            format_paper_table(SUMMARY, columns=["overall_"])
        with pytest.raises(PlanError, match="expected letters, digits"):
            format_paper_table(SUMMARY, label="a}b")


@pytest.mark.parametrize("options", [["--columns", "cosine"], ["--caption", "a", "--show", "structure"]])
def test_options_of_the_latex_table_belong_to_it(options, capsys):
    assert main(["summarise", "run", *options]) == 2
    assert "belongs to --format latex" in capsys.readouterr().err


def numbers_of(cell):
    return re.findall(r"\d+\.\d+", cell)


class TestTerminal:
    def test_marks_what_is_closest_and_furthest(self):
        lines = {
            line.split()[0]: line
            for line in format_summary(SUMMARY, style="table").splitlines()
            if line.split()
        }
        assert "▲ 0.9000" in lines["blur"]
        assert "▼ 0.1235 ±0.0100" in lines["colour_jitter"]
        assert "▼ 12.35 ±1.5000" in lines["colour_jitter"]

    def test_says_how_many_values_are_undefined(self):
        assert "undefined values left out: 8" in format_summary(SUMMARY, style="table")

    def test_holds_no_codes_for_a_terminal(self):
        assert "\x1b" not in format_summary(SUMMARY, style="table") + format_clusters(CLUSTERS, style="table")

    def test_clusters_say_how(self):
        text = " ".join(format_clusters(CLUSTERS, style="table").split())
        assert "mean cosine distance between views" in text
        assert f"ward linkage · cut at {CLUSTERS.threshold:.4g}" in text


def test_html_holds_names_as_text():
    class Collect(HTMLParser):
        def __init__(self):
            super().__init__()
            self.tags, self.text = [], []

        def handle_starttag(self, tag, attrs):
            self.tags.append(tag)

        def handle_data(self, data):
            self.text.append(data)

    parser = Collect()
    parser.feed(summary_html(renamed("<script>alert(1)</script>"), title="a & <b>"))
    assert set(parser.tags) == {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert "<script>alert(1)</script>" in parser.text
    assert any(text.startswith("a & <b>") for text in parser.text)


def test_a_zero_has_no_sign():
    assert [format_cell(value) for value in (-4e-5, -6e-5, 0.0)] == ["0.0000", "-0.0001", "0.0000"]


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (0.10004, 0.1, "0.10004"),
        (0.09996, 0.1, "0.09996"),
        (0.1, 0.1, "0.100"),
        (0.25, 0.1, "0.250"),
        (-0.010001, -0.01, "−0.010001"),
        (1.0000000001e-5, 1e-5, "1.0000000001e−05"),
        (np.nextafter(0.98, 1), 0.98, "0.9800000000000001"),
        (1234.4, 1230, "1234"),
        (NAN, 0.1, "undefined"),
        (math.inf, 0.1, "∞"),
    ],
)
def test_as_many_digits_are_written_as_show_the_side_of_a_limit(value, limit, text):
    assert spell_beside(float(value), limit) == text
