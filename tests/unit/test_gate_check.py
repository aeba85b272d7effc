"""Verdicts: what holds, what is broken, what cannot be decided, and what must not be compared."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri

import embshift
from embshift.analysis.compared.catalogue import COMPARED
from embshift.analysis.gate.baselines import make_table, write_table
from embshift.analysis.gate.budgets import Budget, Gate
from embshift.analysis.gate.catalogue import PANEL, SLACK
from embshift.analysis.gate.power import images_for_difference, images_for_mean, images_for_share
from embshift.analysis.gate.verdicts import Bound, judge, judge_value, worst_verdict
from embshift.core.errors import BaselineError, BudgetError, RunError
from tests.synthetic_runs import Wanted, make_run

WANTED = Wanted(
    transforms=("blur", "noise", "elastic"), images=40, metrics=("cosine",), views=False, maps=False
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gate")


@pytest.fixture(scope="module")
def run(folder):
    return make_run(folder / "run", WANTED)


@pytest.fixture(scope="module")
def worse(folder):
    """The same images by another encoder: other random numbers."""
    return make_run(folder / "worse", replace(WANTED, seed=3, encoder="other"))


@pytest.fixture(scope="module")
def stored(run, folder):
    write_table(make_table(run, with_embeddings=True), folder / "baseline.parquet")
    return folder / "baseline.parquet"


def budget(kind="at_most", limit=0.1, statistic="relative_shift", **fields):
    given = {
        "name": "one",
        "source": "budget.toml",
        "line": 3,
        "scope": "panel" if statistic in PANEL else "transforms",
        "transforms": ("*",),
        "allow": "exact",
    }
    return Budget(**given | {"kind": kind, "limit": limit, "statistic": statistic} | fields)


def bound(value, *, wide=0.01, joint=0.02, n=100, deviation=0.1, share=False):
    pulls = deviation * ndtri((np.arange(n) + 0.5) / n)
    return Bound(
        value=value,
        low=value - wide,
        high=value + wide,
        joint_low=value - joint,
        joint_high=value + joint,
        n=n,
        deviation=deviation,
        reach=2.4,
        share=share,
        pulls=pulls,
    )


def verdict(one, found, *, gate=None, images=100):
    return judge(one, found, gate=gate or Gate(), images=images, families=1)


@pytest.mark.parametrize(
    ("value", "wanted"), [(0.08, "holds"), (0.095, "undecided"), (0.115, "undecided"), (0.13, "broken")]
)
def test_a_limit_holds_by_its_own_bound_and_breaks_by_the_joint_one(value, wanted):
    assert verdict(budget(), bound(value)).verdict == wanted
    assert verdict(budget("worse_by_at_most"), bound(value)).verdict == wanted
    least = budget("at_least", 0.9, "recall_at_1")
    assert verdict(least, bound(1 - value)).verdict == wanted
    # Recall is worse downwards.
    lost = verdict(budget("worse_by_at_most", 0.1, "recall_at_1"), bound(-value))
    assert (lost.verdict, lost.limit) == (wanted, -0.1)


def test_what_lies_within_the_slack_counts_as_held():
    edge = 0.1 + 0.9 * SLACK - 0.01
    assert verdict(budget(), bound(edge)).verdict == "holds"
    assert verdict(budget(), bound(0.1 + 0.9 * SLACK + 0.02)).verdict == "undecided"
    assert verdict(budget(), bound(edge + 0.2 * SLACK)).verdict == "undecided"
    # A shift of unchanged images is limited below the slack itself.
    assert (
        judge_value(budget(limit=1e-5, statistic="same_image_shift"), 1.2e-5, images=40, least=10).verdict
        == "broken"
    )
    assert (
        judge_value(budget(limit=1e-5, statistic="same_image_shift"), 1e-5, images=40, least=10).verdict
        == "holds"
    )


def test_few_images_and_lost_values_decide_nothing():
    few = verdict(budget(), bound(0.01, n=40), gate=Gate(min_images=100), images=40)
    assert (few.verdict, few.reason) == ("undecided", "40 images; 100 or more are needed")
    assert few.images_needed >= 100
    one = verdict(budget(), bound(0.01, n=1), images=1)
    assert one.reason == "1 image; 10 or more are needed"
    lost = verdict(budget(), bound(0.01, n=90), images=100)
    assert (lost.verdict, lost.reason) == ("undecided", "only 90 of 100 images have a value")
    none = verdict(budget(), bound(math.nan, n=5, deviation=math.nan), images=5)
    assert (none.verdict, none.images_needed) == ("undecided", None)
    assert (
        judge_value(budget(statistic="neighbour_overlap"), math.nan, images=40, least=10).verdict
        == "undecided"
    )


def test_the_worst_verdict_counts():
    assert worst_verdict(["holds", "undecided", "holds"]) == "undecided"
    assert worst_verdict(["undecided", "broken", "holds"]) == "broken"
    assert worst_verdict([]) == "holds"


def test_numbers_of_images_that_decide():
    even = 0.1 * ndtri((np.arange(1000) + 0.5) / 1000)
    even /= 10 * even.std()
    # (1.645 + 0.842)² 0.1² / 0.02², and a little more for Student's t.
    assert images_for_mean(0.02, pulls=even, error=0.05) == pytest.approx(155, abs=8)
    assert images_for_mean(0.02, pulls=even, error=0.05, reach=2.5) == pytest.approx(279, abs=14)
    assert images_for_mean(0.002, pulls=even, error=0.05) == pytest.approx(15_456, abs=2)
    assert images_for_mean(1.0, pulls=np.zeros(7), error=0.05) == 10
    assert images_for_mean(1e-9, pulls=even, error=0.05) is None
    assert images_for_mean(0.0, pulls=even, error=0.05) is None
    assert images_for_mean(0.1, pulls=np.full(3, math.nan), error=0.05) is None
    assert images_for_mean(0.1, pulls=np.empty(0), error=0.05) is None


def test_skewed_values_need_more_images_below_a_limit_than_above_it():
    size = np.exp(0.8 * ndtri((np.arange(1000) + 0.5) / 1000))
    pulls = size - size.mean()
    room = float(pulls.std()) / 4  # 99 images, if they were normal
    below, above = (images_for_mean(sign * room, pulls=pulls, error=0.05) for sign in (1, -1))
    assert above < 80 < 120 < below
    assert images_for_mean(-room, pulls=-pulls, error=0.05) == below
    assert images_for_mean(room / 20, pulls=pulls, error=0.05) > images_for_mean(
        -room / 20, pulls=pulls, error=0.05
    )


def test_images_for_shares_take_the_variance_at_the_limit():
    # A share of 1 holds a limit L where n / (n + z²) ≥ L.
    least = math.ceil(1.6449**2 * 49)
    assert images_for_share(-0.02, share=1.0, deviation=0.0, error=0.05) == least
    whole = images_for_share(-0.05, share=0.95, deviation=math.sqrt(0.95 * 0.05), error=0.05)
    assert images_for_share(-0.05, share=0.95, deviation=0.1, error=0.05) < whole / 3
    # Pairs that all agree hold a margin m where z² (1 − m) / m ≤ n.
    assert images_for_difference(-0.02, difference=0.0, deviation=0.0, error=0.05) == pytest.approx(
        133, abs=1
    )
    assert images_for_difference(0.05, difference=math.nan, deviation=0.1, error=0.05) is None


def test_a_share_that_is_nowhere_above_0_needs_more_than_the_fewest_images():
    found = verdict(
        budget(limit=0.01, statistic="nearer_share"), bound(0.0, wide=0.07, deviation=0.0, share=True)
    )
    assert (found.verdict, found.images_needed) == ("undecided", 268)


# On runs ----------------------------------------------------------------------------------------------------


def test_a_check_gives_means_and_bounds_of_the_run(run):
    found = embshift.check(run, require=["relative_shift(blur) <= 0.5", "recall_at_1(*) >= 0.1"])
    assert [one.transform for one in found.checks] == ["blur", "blur", "noise", "elastic"]
    one = found.checks[0]
    assert one.value == one.run_mean
    assert one.joint_bound < one.value < one.bound
    assert (one.n, one.images, one.grade, one.line) == (40, 40, None, None)
    assert found.baseline is None
    assert found.exit_code == {"holds": 0, "broken": 1, "undecided": 5}[found.verdict]
    again = embshift.check(run.folder, require="relative_shift(blur) <= 0.5").checks[0]
    assert (again.value, again.bound) == (one.value, one.bound)
    assert again.joint_bound > one.joint_bound  # of fewer families together


def test_a_stored_baseline_gives_what_its_run_does(run, worse, stored):
    require = [
        "relative_shift(*) <= baseline + 0.01",
        "recall_at_1(*) >= baseline - 0.05",
        "same_image_shift <= 1",
    ]
    by_file, by_run = (embshift.check(worse, baseline=side, require=require) for side in (stored, run))
    for one, two in zip(by_file.checks, by_run.checks, strict=True):
        assert (one.value, one.run_mean, one.baseline_mean) == pytest.approx(
            (two.value, two.run_mean, two.baseline_mean), nan_ok=True
        )
    assert by_file.verdict == by_run.verdict == "broken"
    assert by_file.exit_code == 1
    assert by_file.baseline["relation"] == "different encoders"
    assert by_file.content()["counts"]["broken"] > 0


def test_the_same_check_gives_the_same_numbers(worse, stored):
    one, two = (
        embshift.check(worse, baseline=stored, require="relative_shift(*) <= baseline + 0.01")
        for _ in range(2)
    )
    assert one == two
    assert one.seed != embshift.check(worse, require="relative_shift(*) <= 1").seed


def test_a_run_against_itself_holds_and_skips_the_rest(run, folder):
    path = folder / "null.toml"
    path.write_text(
        '[[budget]]\nstatistic = "relative_shift"\nat_most = 0\n'
        '[[budget]]\nstatistic = "relative_shift"\nworse_by_at_most = 0.001\n'
        '[[budget]]\nstatistic = "same_image_shift"\nat_most = 0\n'
        '[[budget]]\nstatistic = "old_index_recall"\nat_least = 1\n'
    )
    found = embshift.check(run, path, null=True)
    assert (found.verdict, found.skipped, len(found.checks)) == ("holds", 1, 5)
    with pytest.raises(BudgetError, match="no budget is on a difference"):
        embshift.check(run, require="relative_shift(*) <= 1", null=True)


def test_what_warns_passes(run):
    one = embshift.check(run, Gate(min_images=100, budgets=(budget(limit=2.0),)))
    two = embshift.check(run, Gate(min_images=100, undecided="warn", budgets=(budget(limit=2.0),)))
    assert (one.verdict, one.exit_code, one.passed) == ("undecided", 5, False)
    assert (two.verdict, two.exit_code, two.passed) == ("undecided", 0, True)


def test_a_missing_baseline_is_never_replaced_by_another(run, folder, stored):
    path = folder / "missing.toml"
    path.write_text(
        '[gate]\nbaseline = "none.parquet"\n[[budget]]\nstatistic = "relative_shift"\nat_most = 2\n'
    )
    with pytest.raises(BaselineError, match=r"none\.parquet does not exist"):
        embshift.check(run, path)
    with pytest.raises(BaselineError, match="compares with a baseline, and none is given"):
        embshift.check(run, require="relative_shift(*) <= baseline + 0.1")
    # One that the caller names himself is his choice.
    assert embshift.check(run, path, baseline=stored).baseline["path"] == str(stored)


@pytest.mark.parametrize("transforms", [("jpg",), ("blur", "jpg*")])
def test_a_pattern_that_matches_nothing_is_refused(run, transforms):
    with pytest.raises(BudgetError, match=re.escape(f"'{transforms[-1]}' matches no transform of the run")):
        embshift.check(run, Gate(budgets=(budget(transforms=transforms),)))


def test_a_budget_of_nothing_does_not_pass(run):
    with pytest.raises(BudgetError, match=r"no transforms; expected names, or patterns"):
        embshift.check(run, Gate(budgets=(budget(transforms=()),)))


def test_a_transform_of_one_side_alone_is_refused(stored, tmp_path):
    other = make_run(tmp_path / "run", replace(WANTED, transforms=("blur", "noise", "jpeg")))
    with pytest.raises(BaselineError, match=r"covers elastic, jpeg, which .* or the run lacks"):
        embshift.check(other, baseline=stored, require="relative_shift(*) <= baseline + 0.1")


def test_other_pixels_need_leave(stored, tmp_path):
    other = make_run(tmp_path / "run", replace(WANTED, pixels="area"))
    given = budget("worse_by_at_most", transforms=("blur",))
    with pytest.raises(
        BaselineError, match=r'line 3: pixels differ from those of .*state allow = "prepared"'
    ):
        embshift.check(other, Gate(budgets=(given,)), baseline=stored)
    found = embshift.check(other, Gate(budgets=(replace(given, allow="prepared"),)), baseline=stored)
    assert [one.grade for one in found.checks] == ["prepared"]


def test_fewer_images_than_the_baseline_are_refused_for_a_file_alone(run, stored, tmp_path):
    other = make_run(tmp_path / "run", replace(WANTED, images=39))
    require = "relative_shift(blur) <= baseline + 0.1"
    with pytest.raises(BaselineError, match="lacks 1 of its images"):
        embshift.check(other, baseline=stored, require=require)
    assert embshift.check(other, baseline=run, require=require).checks[0].images == 39
    few = make_run(tmp_path / "few", replace(WANTED, images=30))
    with pytest.raises(RunError, match="only 30 of 40 images are in both runs"):
        embshift.check(few, baseline=run, require=require)


def test_fewer_draws_than_the_baseline_are_refused(run, tmp_path):
    twice = make_run(tmp_path / "twice", replace(WANTED, draws=2))
    write_table(make_table(twice), tmp_path / "b.parquet")
    with pytest.raises(BaselineError, match="lacks 1 of its draws"):
        embshift.check(run, baseline=tmp_path / "b.parquet", require="relative_shift(blur) <= baseline + 0.1")


def test_a_margin_that_rounding_could_reach_is_refused(run, stored):
    with pytest.raises(
        BudgetError, match="1e-05 is less than 2e-05, twice what computing changes in recall_at_1"
    ):
        embshift.check(run, baseline=stored, require="recall_at_1(blur) >= baseline - 1e-5")


def test_views_without_a_change_show_what_computing_changes(tmp_path):
    """The synthetic identity moves images: nothing below twice its shift is a difference."""
    run = make_run(tmp_path / "run", replace(WANTED, transforms=("blur", "identity")))
    still = embshift.check(run, require="relative_shift(identity) <= 2").checks[0].value
    for share, refused in ((1.9, True), (2.1, False)):
        require = f"relative_shift(blur) <= baseline + {share * still}"
        if refused:
            with pytest.raises(BudgetError, match="twice what computing changes in relative_shift"):
                embshift.check(run, require=require, null=True)
        else:
            assert embshift.check(run, require=require, null=True).verdict == "holds"


def test_cosine_shift_is_not_compared_between_different_encoders(run, worse, stored, tmp_path):
    require = "cosine_shift(blur) <= baseline + 1.9"
    with pytest.raises(BaselineError, match="cosine_shift is not comparable between synthetic and other"):
        embshift.check(worse, baseline=stored, require=require)
    assert embshift.check(run, baseline=stored, require=require).baseline["relation"] == "one space"
    write_table(make_table(run), tmp_path / "bare.parquet")
    with pytest.raises(BaselineError, match="holds no embeddings of its originals; write it with --with-emb"):
        embshift.check(worse, baseline=tmp_path / "bare.parquet", require=require)
    wide = make_run(tmp_path / "wide", replace(WANTED, dim=9))
    with pytest.raises(BaselineError, match=r"have 8 numbers, those of .* 9; expected encoders of one space"):
        embshift.check(wide, baseline=stored, require="same_image_shift <= 1e-5")


def test_an_unfinished_run_is_refused(run, stored):
    running = replace(run, info={**run.info, "state": "running"})
    with pytest.raises(RunError, match="is not finished"):
        embshift.check(running, require="relative_shift(blur) <= 2")
    with pytest.raises(RunError, match="is not finished"):
        embshift.check(run, baseline=running, require="relative_shift(blur) <= baseline + 2")


def test_every_statistic_can_be_limited(run, stored):
    require = [f"{name}(blur) <= 1" for name in COMPARED]
    require += [f"{name} >= 0" for name in PANEL]
    found = embshift.check(run, baseline=stored, require=require)
    assert [one.statistic for one in found.checks] == [*COMPARED, *PANEL]
    assert len(found.records()) == len(found.checks)
    assert "relative_shift" in found._repr_html_()


@pytest.mark.parametrize(("images", "code"), [(267, 5), (268, 0)])
def test_a_run_against_itself_shows_margins_that_it_is_too_small_for(tmp_path, images, code):
    wanted = Wanted(transforms=("blur",), images=images, views=False, maps=False, metrics=("cosine",))
    made = make_run(tmp_path / "run", wanted)
    record = embshift.check(made, require="recall_at_1(blur) >= baseline - 0.01", null=True)
    assert record.exit_code == code
    assert record.checks[0].images_needed == (None if code == 0 else 268)
