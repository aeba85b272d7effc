"""Scalars are the run's own numbers under stable names; trackers get them through the caller's session."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import embshift
from embshift.analysis.shifts.table import Cell, SummaryRow
from embshift.core.errors import MissingExtraError, UsageError
from embshift.show.handover import scalars as module
from embshift.show.handover.scalars import COUNTS, MEASURED, collect_scalars, identify_run
from tests.synthetic_runs import Wanted, make_run

LOGS = {"wandb": embshift.log_to_wandb, "mlflow": embshift.log_to_mlflow, "trackio": embshift.log_to_trackio}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    wanted = Wanted(
        images=6,
        transforms=("blur", "noise", "fog"),
        metrics=("cosine", "l2"),
        undefined=(("blur", "l2"),),
        missing=("fog",),
    )
    return make_run(tmp_path_factory.mktemp("run") / "run", wanted)


def test_names_are_stable(run):
    own = ["cosine", "l2", "overall", "rank", "n", "undefined", *MEASURED]
    assert MEASURED == ("relative_shift", "neighbour_ratio", "recall_at_1", "recall_at_10", "mrr")
    found = run.scalars()
    small = {"recall_at_10"}  # undefined with six images
    assert {name for name in found if name.startswith("noise/")} == {
        f"noise/{name}" for name in own if name not in small
    }
    assert {name for name in found if name.startswith("run/")} == {f"run/{name}" for name in COUNTS}


def test_values_are_those_of_the_results(run):
    found, summary = run.scalars(), run.summary()
    row = next(row for row in summary.rows if row.transform == "noise")
    assert found["noise/cosine"] == row.cells["cosine"].mean
    assert (found["noise/overall"], found["noise/rank"], found["noise/n"]) == (row.overall, row.rank, 6)
    assert found["noise/relative_shift"] == run.calibration().mean("noise", "relative_shift")
    assert found["noise/recall_at_1"] == run.retrieval().mean("noise", "recall_at_1")
    assert (found["run/images"], found["run/views"], found["run/images_failed"]) == (6, 12, 0)


def test_undefined_numbers_are_left_out_and_counted(run):
    found = run.scalars()
    assert all(isinstance(value, float) and math.isfinite(value) for value in found.values())
    assert "blur/l2" not in found
    assert found["blur/undefined"] == found["run/undefined"] == 6
    assert "fog/cosine" not in found
    assert found["fog/n"] == 0
    # blur: l2, recall@10; noise: recall@10; fog: all but n and undefined.
    assert found["run/left_out"] == 2 + 1 + 2 + 2 + len(MEASURED)


def test_a_metric_named_as_another_number_keeps_both(monkeypatch, run):
    cell = Cell(mean=0.5, deviation=0.0, n=6, undefined=0)
    row = SummaryRow(transform="noise", cells={"rank": cell}, overall=np.nan, rank=3)
    monkeypatch.setattr(module, "summarise_shifts", lambda run: SimpleNamespace(rows=[row]))
    found = collect_scalars(run)
    assert (found["noise/metric_rank"], found["noise/rank"]) == (0.5, 3)


def test_the_identity_names_no_path(run):
    found = identify_run(run)
    assert found["embshift/encoder"] == found["embshift/fingerprint"] == "synthetic"
    assert found["embshift/transforms"] == "blur, noise, fog"
    assert str(run.folder.parent) not in " ".join(found.values())


# trackers -------------------------------------------------------------------------------------------------


class Session:
    """A session of a tracker: it keeps what it is given."""

    def __init__(self):
        self.logged, self.settings = [], {}
        self.config = SimpleNamespace(update=lambda found, **options: self.settings.update(found))
        self.info = SimpleNamespace(run_id="one")

    def log(self, found, *, step=None):
        self.logged.append((found, step))


@pytest.fixture
def sessions(monkeypatch):
    """The trackers' modules, of which nothing but the border is there; none has an active session."""
    session = Session()
    client = SimpleNamespace(log_param=lambda run_id, name, value: session.settings.update({name: value}))
    modules = {
        "wandb": {"run": None},
        "mlflow": {
            "active_run": lambda: None,
            "MlflowClient": lambda: client,
            "log_metrics": lambda found, *, step, run_id: session.log(found, step=step),
        },
        "trackio": {
            "context_vars": SimpleNamespace(current_run=SimpleNamespace(get=lambda: None)),
        },
    }
    for name, content in modules.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**content))
    return session


@pytest.mark.parametrize("name", sorted(LOGS))
def test_a_tracker_gets_scalars_and_identity(name, run, sessions):
    logged = LOGS[name](run, sessions, prefix="before/", step=7)
    assert logged == {f"before/{name}": value for name, value in run.scalars().items()}
    assert sessions.logged == [(logged, 7)]
    assert sessions.settings == {f"before/{name}": value for name, value in identify_run(run).items()}


@pytest.mark.parametrize("name", sorted(LOGS))
def test_no_session_is_opened(name, run, sessions):
    with pytest.raises(UsageError, match=rf"no session is active; call {name}\.\w+\(.*\) first, or give its"):
        LOGS[name](run)


@pytest.mark.parametrize("name", sorted(LOGS))
def test_a_missing_tracker_is_named_with_what_to_do(name, run, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=f"^{name} is not installed; run: pip install {name}$"):
        LOGS[name](run)
