"""Small products are computed on one thread, and the process gets its threads back."""

import sys
import threading

import numpy as np
import pytest
import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

from embshift.core.threads import LARGE, limit_threads
from tests.synthetic_runs import Wanted, make_run


def counts():
    """Threads of each loaded library of linear algebra."""
    np.dot(np.eye(2), scipy.linalg.inv(np.eye(2)))  # both are loaded
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def two_threads():
    """Start with two threads, whatever the environment says."""
    with threadpool_limits(limits=2, user_api="blas"):
        yield


def test_one_thread_inside_and_as_many_as_before_afterwards():
    assert set(counts()) == {2}
    with limit_threads(images=36):
        assert set(counts()) == {1}
    assert set(counts()) == {2}


def test_many_images_keep_their_threads():
    with limit_threads(images=LARGE):
        assert set(counts()) == {2}


def test_an_error_gives_the_threads_back():
    with pytest.raises(ZeroDivisionError), limit_threads(images=1):
        _ = 1 / 0
    assert set(counts()) == {2}


def test_another_thread_sets_no_limit(monkeypatch):
    """What OpenBLAS does with one set there depends on how it was built."""
    asked, reached = list[object](), list[bool]()
    monkeypatch.setattr("threadpoolctl.threadpool_limits", lambda **limit: asked.append(limit))

    def work():
        with limit_threads(images=1):
            reached.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert (reached, asked) == ([True], [])


class Seen(BaseException):
    """Raised at the first product, with the threads it has."""


def threads_of(call, *, function):
    """Threads of linear algebra when a call first reaches a function of some name."""

    def look(frame, event, _):
        if event == "call" and frame.f_code.co_name == function:
            sys.setprofile(None)
            raise Seen({one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"})

    sys.setprofile(look)
    try:
        with pytest.raises(Seen) as found:
            call()
    finally:
        sys.setprofile(None)
    return found.value.args[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("threads") / "run", Wanted(transforms=("a", "b"), images=6))


@pytest.mark.parametrize(
    ("what", "function"),
    [
        ("statistics", "weighted_means"),
        ("order_stability", "order_stability"),
        ("separation", "compute_separation"),
        ("calibration", "weighted_means"),
        ("retrieval", "weighted_means"),
        ("direction", "weighted_means"),
        ("structure", "measure_structure"),
        ("differences", "compare"),
        ("clusters", "mean_distances"),
        ("report", "weighted_means"),
    ],
)
def test_what_a_run_computes_takes_one_thread(run, what, function):
    assert threads_of(getattr(run, what), function=function) == {1}
    assert set(counts()) == {2}


def test_a_figure_takes_one_thread(run):
    assert threads_of(lambda: run.figure("l2_bar"), function="weighted_means") == {1}
