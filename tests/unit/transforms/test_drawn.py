import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embshift.transforms.parameters import select_drawn_values, to_json_value

NUMBERS = st.one_of(
    st.floats(),
    st.floats(width=32).map(np.float32),
    st.integers(0, 2**63).map(np.uint64),
    st.booleans().map(np.bool_),
)


@given(
    st.recursive(
        st.one_of(NUMBERS, st.none(), st.text()),
        lambda inner: st.one_of(
            st.lists(inner),
            st.tuples(inner, inner),
            st.dictionaries(st.one_of(st.text(), st.integers()), inner),
        ),
    )
)
def test_whatever_was_drawn_is_strict_json_and_comes_back_the_same(value):
    plain = to_json_value(value)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        ((1, (2.5, "x")), [1, [2.5, "x"]]),
        (float("nan"), "nan"),
        (np.float64("-inf"), "-inf"),
        (np.array([[1.0, np.nan], [np.inf, 2.0]]), [[1.0, "nan"], ["inf", 2.0]]),
        (np.arange(64), list(range(64))),
        (np.zeros((65,), dtype=np.uint8), {"shape": [65], "dtype": "uint8"}),
        (
            np.tile(np.float32([1, 3]), (100, 1)),
            {"shape": [100, 2], "dtype": "float32", "mean": 2.0, "std": 1.0},
        ),
        (
            np.full((9, 9), np.nan),
            {"shape": [9, 9], "dtype": "float64", "mean": "nan", "std": "nan"},
        ),
        ({1: slice(2)}, {"1": "slice(None, 2, None)"}),
    ],
)
def test_each_type_has_one_writing(value, plain):
    assert to_json_value(value) == plain
    assert type(to_json_value(value)) is type(plain)


def test_what_was_not_drawn_is_left_out():
    values = {"shape": (4, 4, 3), "fill": 0.0, "fill_mask": None, "interpolation": 1, "angle": np.float64(2)}
    assert select_drawn_values(values) == {"angle": 2.0}
