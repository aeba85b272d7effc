"""The error of a precision is measured, and "auto" follows its rule."""

import dataclasses
import json
import math
from unittest.mock import patch

import numpy as np
import pytest

import embshift
from embshift.core.errors import EncoderError, ResumeError
from embshift.core.types import FrozenRow, ImageRecord
from embshift.measurement.pipeline.precision_rule import COSINE_ERROR, SHIFT_SHARE, disqualify
from embshift.measurement.pipeline.precision_trial import (
    settle_precision,
)
from embshift.measurement.pipeline.recipe import Recipe
from embshift.measurement.plan.plan import make_plan
from embshift.metrics import METRICS
from embshift.runs.precision import format_precision, read_precision_errors
from embshift.transforms.build import wrap
from tests.unit.fake_encoder import FakeEncoder

NAMES = ("cosine", "l2", "attention_similarity")
CHOSEN = {name: METRICS[name] for name in NAMES}


class Clock:
    """What encoders say they take; a machine's own pauses would decide otherwise."""

    now = 0.0

    def perf_counter(self):
        return self.now


CLOCK = Clock()


class Rounding(FakeEncoder):
    """A fake encoder that is off by a fraction of every second value, and takes its time."""

    def __init__(self, precision, *, off=0.0, seconds=0.001, poison=np.nan):
        super().__init__(poison=poison)
        self.precision, self.off, self.seconds = precision, off, seconds

    @property
    def spec(self):
        return dataclasses.replace(super().spec, precision=self.precision)

    def encode(self, views, /, *, capture):
        CLOCK.now += self.seconds
        found = super().encode(views, capture=capture)
        found.embedding[:, ::2] *= 1 + self.off
        return found


def invert(pixels):
    return 255 - pixels


def brighten(pixels):
    return np.clip(pixels.astype(int) + 20, 0, 255).astype(np.uint8)


def listing(count=5):
    pictures = np.random.default_rng(1).integers(0, 256, (count, 24, 24, 3), dtype=np.uint8)
    records = [
        ImageRecord(row=row, source="memory", member=str(row), index=row, content=picture)
        for row, picture in enumerate(pictures)
    ]
    return [
        FrozenRow(record=record, sampled=record.row % 2 == 0, chunk=record.row // 4) for record in records
    ]


def settle(asked, encoders, *, info=None, items=None, transforms=None):
    given = {"invert": invert, "brighten": brighten} if transforms is None else transforms
    plan = make_plan(encoder="lite", precision=asked, batch=4, metrics=NAMES)
    notes = []

    def recipe():
        made = {name: wrap(name, function) for name, function in given.items()}
        return Recipe(
            limits=plan.limits, size=(24, 24), rule="linear", seed=0, draws=1, transforms=made, metrics={}
        )

    with (
        patch("embshift.measurement.pipeline.precision_trial.time", CLOCK),
        patch("embshift.measurement.pipeline.precision_notes.time", CLOCK),
    ):
        used, record = settle_precision(
            plan,
            encoders["float32" if asked == "auto" else asked],
            info=info,
            reopen=lambda *, precision: encoders[precision],
            rows=listing() if items is None else items,
            build=recipe,
            metrics=CHOSEN,
            note=notes.append,
        )
    json.dumps(record, allow_nan=False)
    return used.spec.precision, record, notes


def three(*, bfloat16, float16):
    return {
        "float32": Rounding("float32", seconds=0.15),
        "bfloat16": Rounding("bfloat16", **bfloat16),
        "float16": Rounding("float16", **float16),
    }


def test_float32_measures_nothing():
    encoder = Rounding("float32")
    assert settle("float32", {"float32": encoder}) == ("float32", None, [])
    assert encoder.batches == []


def test_a_chosen_precision_is_measured_on_the_first_chunk():
    encoders = three(bfloat16={"off": 0.2}, float16={})
    used, record, notes = settle("bfloat16", encoders)
    assert (used, record["used"], record["asked"]) == ("bfloat16", "bfloat16", "bfloat16")
    assert (record["images"], record["views"]) == (4, 8), "the first chunk has four pictures"
    errors = read_precision_errors({"precision": record})
    assert set(errors) == set(NAMES)
    few, *batches = encoders["bfloat16"].batches
    assert few[0] == 3, "a few views tell the rate first"
    assert {shape[0] for shape in batches} == {4}, "batches have the run's shape"
    assert errors["l2"].relative
    assert not errors["cosine"].relative
    assert (errors["l2"].n, errors["attention_similarity"].n) == (8, 4), "attention: the sample alone"
    assert 0 < errors["l2"].mean <= errors["l2"].max <= 0.2 + 1e-6
    assert errors["attention_similarity"].max == 0, "only embeddings are rounded"
    assert encoders["float16"].batches == []
    assert any("bfloat16" in note and "does not qualify" in note for note in notes)


def test_relative_error_is_that_of_the_metric_itself():
    # Every value of the embedding is one percent too long, and so is every distance.
    class Longer(Rounding):
        def encode(self, views, /, *, capture):
            found = super().encode(views, capture=capture)
            found.embedding[:] *= 1.01
            return found

    encoders = {"float32": Rounding("float32"), "float16": Longer("float16")}
    errors = read_precision_errors({"precision": settle("float16", encoders)[1]})
    assert errors["l2"].mean == pytest.approx(0.01, rel=1e-4)
    assert errors["cosine"].max < 1e-6


def test_auto_takes_the_fastest_that_qualifies():
    used, record, notes = settle("auto", three(bfloat16={"seconds": 0.001}, float16={"seconds": 0.06}))
    assert (used, record["used"], record["asked"]) == ("bfloat16", "bfloat16", "auto")
    assert [trial["precision"] for trial in record["trials"]] == ["float32", "bfloat16", "float16"]
    assert all(trial["views_per_second"] > 0 for trial in record["trials"])
    assert notes[-1] == "precision auto: using bfloat16"


def test_auto_passes_over_one_whose_error_is_too_great():
    used, record, _ = settle(
        "auto", three(bfloat16={"seconds": 0.001, "off": 0.2}, float16={"seconds": 0.06})
    )
    assert used == "float16"
    assert [trial["qualifies"] for trial in record["trials"]] == [True, False, True]
    assert "mean error of cosine" in record["trials"][1]["reason"]


def test_auto_stays_in_float32_where_nothing_qualifies():
    off = {"off": 0.2}
    used, record, notes = settle("auto", three(bfloat16=off, float16=off))
    assert (used, record["used"]) == ("float32", "float32")
    assert read_precision_errors({"precision": record}) is None
    assert format_precision({"precision": record}) == ""
    assert notes[-1] == "precision auto: using float32"


def test_auto_leaves_out_what_the_runtime_does_not_take():
    class Untaken(dict):
        def __getitem__(self, name):
            if name == "float16":
                raise EncoderError("runtime 'openvino' takes float32 or bfloat16")
            return super().__getitem__(name)

    used, record, _ = settle("auto", Untaken(three(bfloat16={}, float16={})))
    assert used == "bfloat16"
    assert [trial["precision"] for trial in record["trials"]] == ["float32", "bfloat16"]


def test_auto_does_not_go_on_with_one_that_is_far_slower():
    encoders = three(bfloat16={"seconds": 0.6}, float16={"seconds": 0.6})
    used, record, _ = settle("auto", encoders)
    assert used == "float32"
    assert [trial["reason"] for trial in record["trials"][1:]] == ["less than half as fast as float32"] * 2
    assert len(encoders["bfloat16"].batches) == 2, "one batch to warm up, one to time"


def test_auto_does_not_take_what_the_chunk_shows_to_be_slower():
    used, record, _ = settle("auto", three(bfloat16={"seconds": 0.22}, float16={"seconds": 0.22}))
    assert used == "float32"
    assert all(trial["qualifies"] for trial in record["trials"])


def test_what_is_undefined_in_half_precision_alone_is_counted_and_disqualifies():
    class Overflowing(Rounding):
        def encode(self, views, /, *, capture):
            found = super().encode(views, capture=capture)
            found.embedding[[int(view.mean()) > 138 for view in views]] = math.inf
            return found

    encoders = three(bfloat16={}, float16={})
    encoders["bfloat16"] = Overflowing("bfloat16")
    used, record, _ = settle("auto", encoders)
    assert used == "float16"
    lost = record["trials"][1]["errors"]["cosine"]["undefined"]
    assert 0 < lost < record["views"]
    assert not record["trials"][1]["qualifies"]


def test_a_slow_precision_is_told_before_the_work():
    encoders = three(bfloat16={"seconds": 60.0}, float16={})
    _, _, notes = settle("bfloat16", encoders)
    first, rates, slow, *progress = notes
    assert first == "precision bfloat16: encoding the first chunk in float32 as well, to compare"
    assert rates == "precision bfloat16: on 3 views: float32 20 views/s, bfloat16 0.05 views/s"
    assert "no fast instructions for bfloat16; --precision float32 is faster" in slow
    assert "precision bfloat16: 2 of 4 images encoded in bfloat16" in progress


def test_a_chunk_without_pictures_leaves_float32():
    missing = [
        FrozenRow(
            record=ImageRecord(row=0, source="a", member="a", path="/no/such.jpg"), sampled=True, chunk=0
        )
    ]
    used, record, _ = settle("auto", three(bfloat16={}, float16={}), items=missing)
    assert (used, record["images"], record["views"]) == ("float32", 0, 0)
    assert record["trials"][1]["reason"] == "no image of the first chunk could be read"
    chosen, record, _ = settle("bfloat16", three(bfloat16={}, float16={}), items=missing)
    assert chosen == "bfloat16"
    assert "cosine" not in read_precision_errors({"precision": record})


def test_a_continued_run_keeps_what_was_found():
    encoders = {"bfloat16": Rounding("bfloat16")}
    record = {"used": "bfloat16"}
    assert settle("bfloat16", encoders, info={"precision": record}) == ("bfloat16", record, [])
    assert encoders["bfloat16"].batches == []


def values(**by_transform):
    return {(0, name, draw): value for name, each in by_transform.items() for draw, value in enumerate(each)}


class TestRule:
    """Cosine and l2 in float32, and how far others are from them."""

    truth = {
        "cosine": values(weak=[0.9, 0.9], strong=[0.5, 0.5]),
        "l2": values(weak=[1.0, 1.0], strong=[4.0, 4.0]),
    }
    metrics = {name: METRICS[name] for name in ("cosine", "l2")}

    def reason(self, *, cosine=0.0, l2=0.0, truth=None):
        truth = truth or self.truth
        off = {"cosine": cosine, "l2": l2}
        found = {name: {key: v + off[name] for key, v in each.items()} for name, each in truth.items()}
        return disqualify(truth, found, metrics=self.metrics)

    def test_the_bounds(self):
        assert (COSINE_ERROR, SHIFT_SHARE) == (1e-4, 0.05)
        assert self.reason() == ""
        assert self.reason(cosine=0.99e-4, l2=0.0499) == ""
        assert self.reason(cosine=1.01e-4) == "mean error of cosine 1.0e-04, more than 1.0e-04"
        assert self.reason(l2=0.0501) == "mean error of l2 5.0e-02, more than 5.0e-02"

    def test_the_share_is_of_the_transform_that_moves_least(self):
        weakest = self.truth["cosine"] | values(weakest=[0.999, 0.999])
        truth = self.truth | {"cosine": weakest}
        assert self.reason(cosine=0.6e-4, truth=truth) == "mean error of cosine 6.0e-05, more than 5.0e-05"

    def test_what_moves_nothing_is_left_out(self):
        truth = {
            "cosine": self.truth["cosine"] | values(identity=[1.0, 1.0]),
            "l2": self.truth["l2"] | values(identity=[0.0, 0.0]),
        }
        assert self.reason(cosine=0.99e-4, l2=0.0499, truth=truth) == ""

    def test_nothing_measured_does_not_qualify(self):
        nothing = {"cosine": {}, "l2": {}}
        assert "nan" in disqualify(nothing, nothing, metrics=self.metrics)

    def test_attention_does_not_count(self):
        metrics = self.metrics | {"attention_similarity": METRICS["attention_similarity"]}
        truth = self.truth | {"attention_similarity": values(weak=[0.9])}
        found = self.truth | {"attention_similarity": values(weak=[0.1])}
        assert disqualify(truth, found, metrics=metrics) == ""


@pytest.fixture(scope="module")
def half_run(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("half") / "run"
    options = {"encoder": "lite", "transforms": ["blur", "noise"], "precision": "bfloat16", "limit": 3}
    options |= {"image_size": 64, "workers": 0}
    return embshift.measure(photos, out=out, **options), options


@pytest.mark.slow
class TestRun:
    def test_error_is_recorded_offered_and_shown(self, half_run):
        run, _ = half_run
        assert run.info["plan"]["precision"] == run.info["encoder"]["precision"] == "bfloat16"
        assert {"cosine", "l2", "attention_similarity"} == set(run.precision_error)
        assert 0 < run.precision_error["cosine"].mean < run.precision_error["cosine"].max
        line = format_precision(run.info)
        assert line.startswith(
            "bfloat16: error against float32 over 6 views of 3 images, mean (greatest): cosine"
        )
        assert run.summary().precision == line
        assert line.split(" · ")[0] in run._repr_html_()

    def test_the_recorded_error_is_that_of_the_recorded_values(self, half_run, photos, tmp_path):
        run, options = half_run
        plain = embshift.measure(photos, out=tmp_path / "plain", **options | {"precision": "float32"})
        assert plain.precision_error is None
        assert plain.info["precision"] is None
        both = (
            run.shifts()
            .to_pandas()
            .merge(
                plain.shifts().to_pandas(), on=["row", "transform", "draw", "metric"], suffixes=("", "_plain")
            )
        )
        both = both[both.metric == "cosine"]
        differences = (both.value - both.value_plain).abs()
        assert run.precision_error["cosine"].mean == pytest.approx(differences.mean(), rel=1e-9)
        assert run.precision_error["cosine"].max == pytest.approx(differences.max(), rel=1e-9)
        relative = run.precision_error["l2"]
        assert relative.relative
        assert relative.n == len(both) == 6

    def test_another_precision_is_refused_and_auto_takes_what_was_chosen(self, half_run, photos, monkeypatch):
        run, options = half_run
        with pytest.raises(ResumeError, match="precision: bfloat16 in the run, float32 requested"):
            embshift.measure(photos, out=run.folder, **options | {"precision": "float32"})
        with pytest.raises(ResumeError, match="runtime: torch in the run, openvino requested"):
            embshift.measure(photos, out=run.folder, **options | {"runtime": "openvino"})
        monkeypatch.setattr(
            "embshift.measurement.pipeline.precision_trial.prepare_stage",
            lambda *_, **__: pytest.fail("tried again"),
        )
        again = embshift.measure(photos, out=run.folder, **options | {"precision": "auto"})
        assert again.info == run.info
