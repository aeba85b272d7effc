"""A wrong name raises a typed error that suggests the nearest, wherever a result is asked by name."""

import pickle

import pytest

from embshift.core.errors import PlanError, UnknownNameError
from embshift.core.named import Named, find_position
from tests.synthetic_runs import Wanted, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    wanted = Wanted(transforms=("blur", "noise"), images=6, views=False, maps=False)
    return make_run(tmp_path_factory.mktemp("names") / "run", wanted)


@pytest.fixture(scope="module")
def measured(run):
    return run.retrieval()


@pytest.mark.parametrize("ask", ["mean", "interval", "count"])
@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("bluur", "mrr"), "unknown transform 'bluur'; did you mean 'blur'?"),
        (("blur", "recall_at1"), "unknown measure 'recall_at1'; did you mean 'recall_at_1'"),
    ],
)
def test_a_measured_value(measured, ask, names, said):
    with pytest.raises(UnknownNameError) as found:
        getattr(measured, ask)(*names)
    assert str(found.value).startswith(said)


def test_a_column(measured):
    with pytest.raises(UnknownNameError, match="unknown measure 'recall_at'; did you mean 'recall_at_1'"):
        measured.column("recall_at")


def test_a_cell_of_the_summary(run):
    cells = run.summary().rows[0].cells
    with pytest.raises(UnknownNameError, match="did you mean 'attention_similarity'"):
        cells["attention"]
    assert "attention" not in cells
    assert cells.get("attention") is None
    assert cells.get("cosine") is cells["cosine"]


@pytest.mark.parametrize("ask", ["closest", "furthest"])
def test_an_end_of_the_summary(run, ask):
    with pytest.raises(UnknownNameError, match="unknown metric 'cosin'; did you mean 'cosine'"):
        getattr(run.summary(), ask)("cosin")


@pytest.mark.parametrize("images", [0, 1, -3])
def test_a_sample_of_too_few_images(run, images):
    with pytest.raises(PlanError, match="expected 2 or more"):
        run.pairs(images=images)


def test_named_things_are_a_mapping():
    things = Named(kind="thing", things={"a": 1, "b": 2})
    assert (dict(things), len(things), list(things.items())) == ({"a": 1, "b": 2}, 2, [("a", 1), ("b", 2)])
    assert things == {"a": 1, "b": 2}
    assert pickle.loads(pickle.dumps(things)) == things
    assert find_position(["a", "b"], "b", kind="thing") == 1
