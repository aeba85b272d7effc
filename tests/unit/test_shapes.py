"""The tests' own check of shapes: without it a wrong annotation would be found by nobody."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from embshift.core.pixel_maps import carry, grid
from tests import shapes

PIXELS, PLANE = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)


def test_of_many_calls_the_first_are_checked():
    for _ in range(shapes.CALLS - 1):
        carry(PIXELS, grid(4, 4))
    with pytest.raises(TypeCheckError):
        carry(PLANE, grid(4, 4))
    # Unchecked, a plane is carried like an image.
    assert carry(PLANE, grid(4, 4)).shape == (4, 4)


def test_a_wrong_shape_is_found_in_the_next_test():
    with pytest.raises(TypeCheckError):
        carry(PLANE, grid(4, 4))
