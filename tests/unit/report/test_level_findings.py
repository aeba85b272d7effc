"""Findings and tables on severity and on equal damage, by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from embshift.analysis.sampling.bootstrap import Intervals
from embshift.analysis.strength.matched import Matched, MatchedGroup, MatchedRow, UnmatchedRow
from embshift.analysis.strength.solved import Solved
from embshift.analysis.strength.sweep import Curve, Sweep
from embshift.show.report.facts.levels import LevelFacts, measure_levels
from embshift.show.report.facts.run import Facts, gather_facts
from embshift.show.report.findings.levels import describe_curves, describe_equal_damage, describe_first_losses
from embshift.show.report.tables import build_curves, build_tables
from tests.synthetic_runs import Wanted, make_run


def told(*means):
    """Means with intervals of a tenth to either side."""
    mean = np.array(means, float)
    none = np.zeros(mean.shape, bool)
    return Intervals(mean=mean, low=mean - 0.1, high=mean + 0.1, n=np.full(mean.shape, 9), plain=none)


def curve(name, *, area, s50=math.nan, censored="", monotonicity=0.9, axis="severity", at=(1, 3, 5)):
    return Curve(
        transform=name,
        family="blur",
        axis=axis,
        unit="px",
        meaning="radius",
        names=tuple(f"{name}_s{level}" for level in at),
        at=at,
        strengths=(0.5, 1.0, 2.0),
        shift=told(0.1, 0.2, 0.4),
        recall=told(1, 0.5, 0.25),
        area=told(area),
        s50=s50,
        censored=censored,
        s50_low=1.5,
        s50_high=math.inf,
        monotonicity=told(monotonicity),
        left=0.0,
    )


def swept(*found):
    return LevelFacts(sweep=Sweep(curves=found, gallery=9, level=0.95, resamples=100, seed=0))


def row(name, shift, *, low, high, above=()):
    return MatchedRow(
        transform=name,
        family="blur",
        strength=1.5,
        unit="px",
        damage=0.7,
        damage_low=0.69,
        damage_high=0.71,
        off_target=False,
        shift=shift,
        low=low,
        high=high,
        recall=0.5,
        recall_low=0.2,
        recall_high=0.8,
        best=1,
        worst=2,
        above=above,
        n=9,
    )


def matched(*groups):
    return LevelFacts(matched=Matched(groups=groups, solved_on=8, gallery=9, splits=5, level=0.95))


def group(*rows, kind="ssim", target=0.7, lost=()):
    return MatchedGroup(kind=kind, target=target, rows=rows, out_of_reach=lost)


class TestLostFirst:
    def test_the_earliest_are_named_and_those_that_hold(self):
        found = swept(
            curve("mild", area=0.1, s50=math.nan, censored=">"),
            curve("late", area=0.2, s50=4.214),
            curve("early", area=0.3, s50=math.nan, censored="<"),
        )
        assert describe_first_losses(found) == (
            "Level at which recall@1 among 9 images falls below 50 %: early at or below severity 1; late at"
            " severity 4.21. It stays at 50 % or above at every level of mild."
        )

    def test_strengths_have_their_unit(self):
        found = swept(curve("blur", area=0.1, s50=2.512, axis="strength"))
        assert "falls below 50 %: blur at 2.51 px." in describe_first_losses(found)

    def test_none_lost(self):
        found = swept(curve("mild", area=0.1, censored=">"))
        assert describe_first_losses(found) == "At every level, recall@1 among 9 images is at least 50 %."
        assert describe_first_losses(swept(curve("unknown", area=0.1))) is None
        assert describe_first_losses(LevelFacts()) is None


class TestCurves:
    def test_most_and_least_and_what_does_not_rise(self):
        found = swept(
            curve("a", area=0.25), curve("b", area=0.5, monotonicity=0.4), curve("c", area=math.nan)
        )
        assert describe_curves(found) == (
            "Averaged over all levels, the shift (1 − cosine) is largest for b, 0.500, and smallest for a,"
            " 0.250. The shift does not clearly grow with the level for b (mean rank correlation below 0.5)."
        )

    def test_one_alone(self):
        assert describe_curves(swept(curve("a", area=0.25))) == (
            "Averaged over its levels, a has a shift (1 − cosine) of 0.250."
        )
        assert describe_curves(swept(curve("a", area=math.nan))) is describe_curves(LevelFacts()) is None


class TestEqualDamage:
    def test_the_greatest_damage_of_each_kind_is_told_with_its_doubt(self):
        sure = group(row("a", 0.5, low=0.4, high=0.6, above=("b",)), row("b", 0.25, low=0.2, high=0.3))
        milder = group(row("c", 0.2, low=0.1, high=0.3), row("d", 0.1, low=0, high=0.2), target=0.9)
        way = group(
            row("e", 0.5, low=0.4, high=0.6),
            row("f", 0.45, low=0.3, high=0.5),
            kind="displacement",
            target=20.0,
        )
        assert describe_equal_damage(matched(milder, sure, way)) == (
            "At equal damage (SSIM 0.7), a shifts embeddings most among the 2 transforms that reach it: 0.500"
            " (95 % interval 0.400 to 0.600); b shifts them least: 0.250 (95 % interval 0.200 to 0.300)."
            " At equal damage (mean pixel displacement 20 px), e shifts embeddings most among the 2"
            " transforms that reach it: 0.500 (95 % interval 0.400 to 0.600), not certainly more than"
            " f; f shifts them least: 0.450 (95 % interval 0.300 to 0.500)."
        )

    def test_beside_it_stands_the_order_of_the_paper(self):
        found = matched(
            group(row("a", 0.5, low=0.4, high=0.6, above=("b",)), row("b", 0.25, low=0.2, high=0.3))
        )
        rows = [
            UnmatchedRow(transform=name, shift=shift, low=shift, high=shift, n=9)
            for name, shift in (("b", 0.5), ("a", 0.25), ("c", math.nan))
        ]
        beside = LevelFacts(matched=replace(found.matched, unmatched=tuple(rows)))
        assert describe_equal_damage(beside).endswith(
            "At the unmatched strengths of the preset paper, the order is b, a."
        )

    def test_one_transform_is_no_comparison(self):
        assert describe_equal_damage(matched(group(row("a", 0.5, low=0.4, high=0.6)))) is None
        assert describe_equal_damage(LevelFacts()) is None


@pytest.fixture(scope="module")
def facts(tmp_path_factory) -> Facts:
    folder = tmp_path_factory.mktemp("levels") / "run"
    return gather_facts(
        make_run(folder, Wanted(transforms=("mild", "strong"), images=24, views=False, maps=False)),
        resamples=200,
    )


class TestTables:
    def test_a_run_without_levels_has_what_shifts_amount_to(self, facts):
        found, arranged, cosines = build_tables(facts)
        for table in (found, arranged):
            assert [cells[0]["text"] for cells in table["rows"]] == ["strong", "mild"]
            assert table["header"][0]["text"] == "transform"
        heads, others = ([one["text"] for one in table["header"]] for table in (found, arranged))
        assert "recall@1" in heads
        assert {"consistency", "CKA", "RSA"} < set(others)
        shown = found["rows"][0][heads.index("recall@1")]["text"]
        assert float(shown) == pytest.approx(
            facts.embeddings.retrieval.mean("strong", "recall_at_1"), abs=0.005
        )
        assert arranged["rows"][0][others.index("RSA")]["small"].count("chance ") == 1
        assert [cells[0]["text"] for cells in cosines["rows"]] == ["strong", "mild", "all"]
        kept = [one["text"] for one in cosines["header"]].index("kept at precision 0.9")
        precise = facts.embeddings.thresholds.row("strong").at_precision
        assert float(cosines["rows"][0][kept]["text"]) == pytest.approx(precise.recall.value, abs=0.005)
        assert "0.001 of 1,104 other pairs are 1.1, fewer than 20" in cosines["note"]
        assert build_curves(facts) is None

    def test_no_cell_is_left_out(self, facts):
        lost = Solved(
            transform="z",
            family="blur",
            kind="ssim",
            target=0.7,
            unit="px",
            achieved=0.8,
            why="even 3 is mild",
        )
        both = replace(
            facts,
            levels=LevelFacts(
                sweep=swept(curve("blur", area=0.25, s50=2.5)).sweep,
                matched=matched(group(row("a", 0.5, low=0.4, high=0.6), lost=(lost,))).matched,
            ),
        )
        found = build_tables(both)
        assert [one["title"] for one in found] == [
            "Shift by level",
            "Transforms at equal damage",
            "How large are the shifts, and are originals still found?",
            "Is the shift consistent, and is the geometry preserved?",
            "Which cosine means the same image?",
        ]
        for table in found:
            assert {len(cells) for cells in table["rows"]} == {len(table["header"])}
        assert [cell["text"] for cell in found[0]["rows"][0]] == [
            "blur", "0.250", "2.5", "0.900", "0.5 px to 2 px", "9",
        ]  # fmt: skip
        assert found[1]["rows"][1][2] == {"text": "–", "small": "even 3 is mild"}
        (line,) = build_curves(both)["lines"]
        assert line["points"] == [[0.0, 0.0], [1.0, 0.1], [3.0, 0.2], [5.0, 0.4]]
        assert line["strengths"] == ["0.5 px", "1 px", "2 px"]

    def test_names_from_outside_are_made_visible(self, facts):
        odd = replace(facts, levels=swept(curve("a\u202eb", area=0.25)))
        assert build_tables(odd)[0]["rows"][0][0]["text"] == "a⟨U+202E⟩b"


def test_a_run_of_one_level_each_is_no_sweep(tmp_path):
    run = make_run(tmp_path / "run", Wanted(transforms=("mild", "strong"), images=8, views=False, maps=False))
    found = measure_levels(run, images=8, resamples=100)
    assert (found.sweep, found.matched) == (None, None)
