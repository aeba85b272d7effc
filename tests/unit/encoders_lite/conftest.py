import cv2
import numpy as np
import pytest

from embshift.encoders import ENCODERS

NAMES = ("astronaut", "cat", "citrus", "cup", "dog", "espresso", "kingfisher", "moose", "petra", "rocket")


@pytest.fixture(scope="session")
def lite():
    return ENCODERS["lite"].open("lite", device="cpu", allow_pickle=False)


@pytest.fixture(scope="session")
def photographs(samples):
    """Ten sample photographs of different things, unchanged: name -> RGB pixels."""
    return {name: np.ascontiguousarray(cv2.imread(str(samples / f"{name}.jpg"))[..., ::-1]) for name in NAMES}


@pytest.fixture(scope="session")
def squares(photographs):
    """The same photographs at 224 by 224 pixels."""
    return np.stack([cv2.resize(p, (224, 224), interpolation=cv2.INTER_AREA) for p in photographs.values()])
