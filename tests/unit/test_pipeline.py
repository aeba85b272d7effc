"""The line itself: what a picture's rows are follows from the picture and the plan alone."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.core.types import Capture, FrozenRow, ImageRecord, View
from embshift.images import Limits
from embshift.measurement.pipeline.compare import compare_views
from embshift.measurement.pipeline.encode import encode_views
from embshift.measurement.pipeline.perturb import perturb_image
from embshift.measurement.pipeline.recipe import Recipe
from embshift.measurement.pipeline.tabulate import tabulate
from embshift.metrics import METRICS
from embshift.transforms.build import wrap
from embshift.transforms.perturb import pixels_digest
from tests.unit.fake_encoder import DIM, POISON, FakeEncoder

SIZE = (10, 12)
BAD, BROKEN = 99, 212
"""A picture of this value fails in the transform `picky`; one of that cannot be decoded."""
PAIR = {name: METRICS[name] for name in ("cosine", "l2", "attention_similarity")}
PIXEL = {name: METRICS[name].compute for name in ("patch_similarity", "edge_similarity", "detail_similarity")}


def noisy(pixels, *, rng):
    return (pixels // 2 + rng.integers(0, 120, pixels.shape)).astype(np.uint8)


def picky(pixels):
    if pixels[0, 0, 1] == BAD:
        raise ValueError("not\nthis one")
    return 255 - pixels


def poisoned(pixels):
    """Poison in, poison out; otherwise a flip."""
    return pixels.copy() if pixels[0, 0, 2] == POISON else pixels[:, ::-1].copy()


def poisoning(pixels):
    result = picky(pixels * 0 + 7) // 2
    result[0, 0, 0] = POISON if pixels[0, 0, 2] == POISON else 1
    return result


TRANSFORMS = {"noisy": noisy, "picky": picky, "poisoning": poisoning}


def recipe(*, draws=2, transforms=TRANSFORMS, metrics=PIXEL):
    return Recipe(
        limits=Limits(),
        size=SIZE,
        rule="linear",
        seed=0,
        draws=draws,
        transforms={name: wrap(name, thing) for name, thing in transforms.items()},
        metrics=metrics,
    )


def picture(number, kind="good"):
    pixels = np.random.default_rng(number).integers(0, 98, (*SIZE, 3), dtype=np.uint8)
    pixels[0, 0] = 1
    if kind == "fails":
        pixels[0, 0, 1] = BAD
    if kind == "poisons":
        pixels[0, 0, 2] = POISON
    if kind == "lost":
        pixels[0, 0, 0] = POISON
    return np.zeros((0, 4, 3), np.uint8) if kind == "damaged" else pixels


def item(number, kind="good", *, sampled=True, row=None):
    record = ImageRecord(
        row=number if row is None else row, source="memory", member="", content=picture(number, kind)
    )
    return FrozenRow(record=record, sampled=sampled, chunk=0)


def measured(items, *, batch=8, encoder=None, **options):
    """The line from items to results."""
    made = [perturb_image(one, recipe=recipe(**options)) for one in items]
    capture = Capture.EMBEDDING | Capture.ATTENTION
    stream = encode_views(iter(made), encoder=encoder or FakeEncoder(), batch=batch, capture=capture)
    return [one for ready in stream for one in compare_views(ready, metrics=PAIR)]


def tables(results):
    found = tabulate(results, dim=DIM, metadata={})
    return {name: table.to_pylist() for name, table in found.items()}


def rows_of(results, row):
    """What a reader finds of one picture, in a form that compares NaN as equal."""
    return {
        name: repr([line for line in lines if line["row"] == row]) for name, lines in tables(results).items()
    }


KINDS = ("good", "fails", "poisons", "lost", "damaged")
PATTERNS = st.lists(st.tuples(st.sampled_from(KINDS), st.booleans()), min_size=1, max_size=8)


@given(pattern=PATTERNS, batch=st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_neighbours_and_batches_change_nothing(pattern, batch):
    items = [item(number, kind, sampled=sampled) for number, (kind, sampled) in enumerate(pattern)]
    together = measured(items, batch=batch)
    assert [result.listed for result in together] == items
    for one in items:
        alone = measured([one], batch=13)
        assert rows_of(together, one.record.row) == rows_of(alone, one.record.row)


@given(order=st.permutations(range(5)), batch=st.integers(1, 20))
@settings(max_examples=10, deadline=None)
def test_order_changes_nothing(order, batch):
    items = [item(number, kind) for number, kind in enumerate(KINDS)]
    sorted_ones, shuffled = measured(items), measured([items[at] for at in order], batch=batch)
    for number in range(5):
        assert rows_of(sorted_ones, number) == rows_of(shuffled, number)


@given(pattern=PATTERNS, batch=st.integers(1, 40), draws=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_every_picture_that_was_read_has_its_original_and_every_attempt(pattern, batch, draws):
    items = [item(number, kind, sampled=sampled) for number, (kind, sampled) in enumerate(pattern)]
    found = tables(measured(items, batch=batch, draws=draws))
    assert [line["row"] for line in found["images"]] == list(range(len(items)))
    wanted = [("original", 0), *((name, draw) for name in TRANSFORMS for draw in range(draws))]
    for number, (kind, sampled) in enumerate(pattern):
        lines = [line for line in found["embeddings"] if line["row"] == number]
        assert [(line["transform"], line["draw"]) for line in lines] == ([] if kind == "damaged" else wanted)
        assert all((line["status"] == "ok") == (line["embedding"] is not None) for line in lines)
        assert all((line["status"] == "ok") == (line["error"] is None) for line in lines)
        shifts = [line for line in found["shifts"] if line["row"] == number]
        views = [line for line in lines if line["status"] == "ok" and line["transform"] != "original"]
        compared = 0 if kind in ("damaged", "lost") else len(views)
        assert len(shifts) == compared * (6 if sampled else 2)
        maps = [line for line in found["attention"] if line["row"] == number]
        assert len(maps) == (len([line for line in lines if line["status"] == "ok"]) if sampled else 0)


class TestBatches:
    def test_have_one_shape_and_the_padding_leaves_no_trace(self):
        encoder = FakeEncoder()
        results = measured([item(0), item(1)], batch=5, encoder=encoder)
        assert encoder.batches == [(5, *SIZE, 3)] * 3
        assert [len(result.encoding) for result in results] == [7, 7]

    def test_a_picture_larger_than_a_batch_is_put_together_again(self):
        (result,) = measured([item(0)], batch=2)
        assert len(result.encoding) == 7
        assert result.encoding.attention is not None

    def test_results_come_as_soon_as_they_can(self):
        encoder, made = FakeEncoder(), (perturb_image(item(n), recipe=recipe()) for n in range(100))
        stream = encode_views(made, encoder=encoder, batch=7, capture=Capture.EMBEDDING)
        next(stream)
        assert len(encoder.batches) == 1

    def test_nothing_is_encoded_for_pictures_without_views(self):
        encoder = FakeEncoder()
        results = measured([item(n, "damaged") for n in range(3)], encoder=encoder)
        assert ([result.encoding for result in results], encoder.batches) == ([None] * 3, [])
        assert [result.decoded.status for result in results] == ["damaged"] * 3

    def test_maps_are_captured_for_the_sample_alone(self):
        encoder = FakeEncoder()
        measured([item(0, sampled=False), item(1)], batch=7, encoder=encoder)
        assert encoder.captures == [Capture.EMBEDDING, Capture.EMBEDDING | Capture.ATTENTION]

    def test_a_sampled_picture_keeps_its_map_behind_neighbours_without(self):
        """The batch before it, of which a part is still waiting, holds none."""
        unsampled, sampled = measured([item(0, sampled=False), item(1)], batch=6)
        assert set(sampled.values) == {*PAIR, *PIXEL}
        assert set(unsampled.values) == {"cosine", "l2"}


class TestFailures:
    def test_a_failing_transform_is_a_row_and_disturbs_no_neighbour(self):
        (result,) = measured([item(0, "fails")])
        status = {(a.transform, a.draw): (a.status, a.error, a.digest is None) for a in result.attempts}
        failed = ("transform_failed", "transform 'picky' failed: ValueError: not this one", True)
        assert status["picky", 0] == status["picky", 1] == failed
        assert [key for key, value in status.items() if value[0] != "ok"] == [("picky", 0), ("picky", 1)]
        whole = item(0, "fails")
        (without,) = measured([whole], transforms={n: t for n, t in TRANSFORMS.items() if n != "picky"})
        assert rows_of([result], 0)["shifts"] == rows_of([without], 0)["shifts"]

    @pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
    def test_an_embedding_that_is_not_finite_is_a_row_without_one(self, poison):
        (result,) = measured([item(0, "poisons")], encoder=FakeEncoder(poison=poison))
        found = tables([result])
        lines = {(line["transform"], line["draw"]): line for line in found["embeddings"]}
        lost = {key for key, line in lines.items() if line["status"] == "non_finite"}
        assert lost == {("poisoning", 0), ("poisoning", 1)}
        assert all(lines[key]["error"] == "the encoder gave NaN or infinity" for key in lost)
        assert all(lines[key]["pixels_digest"] for key in lost)
        assert {line["transform"] for line in found["shifts"]} == {"noisy", "picky"}
        assert all(np.isfinite(line["embedding"]).all() for line in lines.values() if line["embedding"])

    def test_values_stay_with_their_views_where_one_between_is_lost(self):
        order = {name: TRANSFORMS[name] for name in ("poisoning", "noisy", "picky")}
        (result,) = measured([item(0, "poisons")], transforms=order)
        (plain,) = measured([item(0, "poisons")], transforms={n: order[n] for n in ("noisy", "picky")})
        assert rows_of([result], 0)["shifts"] == rows_of([plain], 0)["shifts"]

    def test_without_a_finite_original_there_is_nothing_to_compare_with(self):
        (result,) = measured([item(0, "lost")])
        found = tables([result])
        assert found["embeddings"][0]["status"] == "non_finite"
        assert {line["status"] for line in found["embeddings"][1:]} == {"ok"}
        assert found["shifts"] == []

    def test_all_transforms_failing(self):
        def never(pixels):
            raise RuntimeError

        (result,) = measured([item(0)], transforms={"never": never})
        found = tables([result])
        assert [line["status"] for line in found["embeddings"]] == [
            "ok",
            "transform_failed",
            "transform_failed",
        ]
        assert found["shifts"] == []

    def test_parameters_that_json_cannot_hold_are_written_as_it_can(self):
        def odd(pixels):
            return View(
                pixels=pixels, parameters={"b": np.float32(0.5), "a": np.nan, "c": (np.int64(1), {2})}
            )

        (result,) = measured([item(0)], transforms={"odd": odd}, draws=1)
        assert result.attempts[1].parameters == '{"a": "nan", "b": 0.5, "c": [1, [2]]}'

    def test_words_that_are_no_text_are_still_written(self):
        def rude(pixels):
            raise ValueError("caf\udce9 \ud800")

        (result,) = measured([item(0)], transforms={"rude": rude})
        assert tables([result])["embeddings"][1]["error"].endswith("caf\ufffd \ufffd")


def test_views_are_those_of_the_recipe():
    made = perturb_image(item(3), recipe=recipe())
    assert made.pixels.shape == (7, *SIZE, 3)
    assert [attempt.digest for attempt in made.attempts] == [pixels_digest(view) for view in made.pixels]
    np.testing.assert_array_equal(made.pixels[3], 255 - made.pixels[0])
    assert not np.array_equal(made.pixels[1], made.pixels[2])
    assert made.decoded.pixels is None
    assert all(json.loads(attempt.parameters) == {} for attempt in made.attempts)


def test_pixel_metrics_are_taken_for_the_sample_alone():
    assert set(perturb_image(item(0), recipe=recipe()).values) == set(PIXEL)
    assert perturb_image(item(0, sampled=False), recipe=recipe()).values == {}


def test_equal_pictures_in_other_rows_have_equal_results():
    one, other = measured([item(5, row=0), item(5, row=1)])
    assert one.decoded.image_id == other.decoded.image_id
    for name in one.values:
        np.testing.assert_array_equal(one.values[name], other.values[name])
