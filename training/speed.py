"""Speed of ``lite``, opening and encoding, next to the image tower of CLIP ViT-B/32 with random weights.

Run ``python -m training.speed`` from the root of the repository. Both encode the same 32 views in float32 on
the CPU, in turns, so that other load on the machine affects both.
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from embshift.core.types import Capture
from embshift.encoders import ENCODERS
from embshift.encoders.lite.weight_file import PATH

VIEWS, ROUNDS = 32, 8


def main() -> int:
    opened = [
        timed(lambda: ENCODERS["lite"].open("lite", device="cpu", allow_pickle=False)) for _ in range(5)
    ]
    lite = ENCODERS["lite"].open("lite", device="cpu", allow_pickle=False)
    clip = CLIPVisionModelWithProjection(CLIPVisionConfig()).eval()
    views = np.random.default_rng(1).integers(0, 256, (VIEWS, 224, 224, 3), dtype=np.uint8)
    planes = torch.from_numpy(views).permute(0, 3, 1, 2).float().div(255).contiguous()
    everything = Capture.EMBEDDING | Capture.ATTENTION

    def clip_forward() -> None:
        with torch.inference_mode():
            clip(pixel_values=planes)

    ratios, own, other = list[float](), list[float](), list[float]()
    for turn in range(ROUNDS + 2):
        ours, theirs = timed(lambda: lite.encode(views, capture=everything)), timed(clip_forward)
        if turn >= 2:  # the first calls allocate
            own.append(VIEWS / ours)
            other.append(VIEWS / theirs)
            ratios.append(theirs / ours)
    sys.stdout.write(
        f"file {PATH.stat().st_size / 1e6:.1f} MB; opening {statistics.median(opened):.2f} s "
        f"({min(opened):.2f}-{max(opened):.2f})\n"
        f"lite {statistics.median(own):.0f} views/s, ViT-B/32 {statistics.median(other):.0f} views/s, "
        f"{torch.get_num_threads()} threads\n"
        f"ratio {statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f}) over {ROUNDS} turns\n"
    )
    return 0


def timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
