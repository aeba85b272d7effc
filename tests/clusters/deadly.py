"""Code of a user's: an encoder and a transform that end their process at white images, or are not on actors.

The variable DEADLY says what is wrong; without it all goes well.
"""

import os
import signal
import sys

import numpy as np

if os.environ.get("DEADLY") == "absent" and any("default_worker" in word for word in sys.argv):
    raise ImportError("deadly is installed on the driver alone")


def encode(images):
    _end_at_white(images, "encode")
    parts = [images[:, i::4, j::4].mean(axis=(1, 2)) / 255 for i in range(2) for j in range(4)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def darken(pixels):
    _end_at_white(pixels, "read")
    return (pixels // 2).astype(np.uint8)


def _end_at_white(pixels, when):
    values = pixels.reshape(-1, *pixels.shape[-3:])
    if os.environ.get("DEADLY") == when and (values.min(axis=(1, 2, 3)) == 255).any():
        os.kill(os.getpid(), signal.SIGKILL)
