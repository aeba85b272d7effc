import numpy as np
import pytest

from embshift.metrics.ssim import ssim
from tests.reference import ssim_reference
from tests.unit.transforms.golden_views import picture


@pytest.mark.parametrize("size", [(224, 224), (11, 11), (40, 13), (12, 300)])
def test_values_are_those_of_scikit_image(size):
    reference = np.ascontiguousarray(np.resize(picture(), (*size, 3)))
    rng = np.random.default_rng(0)
    views = [np.clip(reference + rng.normal(0, each, reference.shape), 0, 255) for each in (3, 40)]
    views = np.stack([*views, reference[::-1], reference // 2, np.full_like(reference, 9)]).astype(np.uint8)
    expected = [ssim_reference.ssim(reference, view) for view in views]
    np.testing.assert_allclose(ssim(reference, views), expected, atol=1e-9)


def test_a_side_shorter_than_a_window_is_undefined():
    assert np.isnan(ssim(picture()[:10], picture()[None, :10])).all()
