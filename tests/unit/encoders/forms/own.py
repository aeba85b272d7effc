"""Encoders of a user's own, at addresses that tests import."""

import numpy as np
import torch

__all__ = ["NOT_ONE", "Shifted", "flat", "network", "prepare", "shrink"]

NOT_ONE = 3


def shrink(images):
    """Mean colours of a grid of 4 × 4 cells."""
    count, height, width, _ = images.shape
    rows, columns = height // 4, width // 4
    cells = images[:, : rows * 4, : columns * 4].reshape(count, 4, rows, 4, columns, 3)
    return cells.mean((2, 4), dtype=np.float64).reshape(count, -1)


def flat(images):
    """Not an embedding each."""
    return images.mean((1, 2, 3))


class Shifted:
    """A callable whose state no source text tells."""

    def __init__(self, by):
        self.by = by

    def __call__(self, images):
        return shrink(images) + self.by


def network(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 5, 8, 8), torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())


def prepare(image):
    pixels = torch.from_numpy(np.asarray(image.resize((32, 32))).copy())
    return pixels.permute(2, 0, 1).float() / 255
