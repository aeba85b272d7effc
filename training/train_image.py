"""Training of the transformer of ``lite`` on cached tokens: where to look, starting from the teacher.

Run ``python -m training.train_image`` from the root of the repository, after ``python -m training.cache``. It
continues from its last checkpoint and ends after a given number of steps. It writes
``build/training/blocks.safetensors``, and the figures on held-back images to ``training/logs/image.tsv``.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch.nn import functional
from training.cache import SHARDS
from training.make_lite_weights import published
from training.sources import BUILD

from embshift.encoders.lite.blocks import make_initial_weights, run_transformer
from embshift.encoders.lite.weight_file import read_weights

TARGET = BUILD / "blocks.safetensors"
CHECKPOINT = BUILD / "blocks.checkpoint.pt"
LOG = Path(__file__).parent / "logs/image.tsv"
SEED = 7
BATCH = 64  # groups of four views
WARM_UP = 200
NOISE = 0.25

Tensors = dict[str, torch.Tensor]
Batch = tuple[
    Float[torch.Tensor, "groups views patches 256"],
    Float[torch.Tensor, "groups 256"],
    Float[torch.Tensor, "groups views patches"],
]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Train the transformer of the bundled encoder.")
    parser.add_argument("--steps", type=int, default=6000, help=f"steps, each of {BATCH} groups of 4 views")
    parser.add_argument("--rate", type=float, default=1e-3, help="largest learning rate")
    parser.add_argument("--map-weight", type=float, default=0.1, help="weight of the attention's target")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=TARGET)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    train(given)
    return 0


def train(given: argparse.Namespace) -> None:
    checkpoint = given.out.with_suffix(".checkpoint.pt")
    initial = make_initial_weights(torch.Generator().manual_seed(SEED))
    weights = {name: values.requires_grad_() for name, values in initial.items()}
    optimiser = torch.optim.AdamW(groups(weights, rate=given.rate), betas=(0.9, 0.98))
    step = restored(checkpoint, weights, optimiser)
    rows = class_rows()
    validation = [read_shard(path) for path in sorted(SHARDS.glob("validation-*.safetensors"))]
    note(0, figures(validation, None), 0.0) if step == 0 else None
    start, seen = time.monotonic(), 0
    for batch in batches(step, given.steps):
        for group in optimiser.param_groups:
            group["lr"] = group["rate"] * pace(step, given.steps)
        loss = loss_of(batch, weights, rows, map_weight=given.map_weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimiser.step()
        step, seen = step + 1, seen + batch[2].shape[0] * batch[2].shape[1]
        if step % 250 == 0 or step == given.steps:
            note(step, figures(validation, weights), seen / (time.monotonic() - start))
            save_aside({"weights": weights, "optimiser": optimiser.state_dict(), "step": step}, checkpoint)
    aside = given.out.with_suffix(".part")
    save_file({name: values.detach().contiguous() for name, values in weights.items()}, aside)
    aside.rename(given.out)


def groups(weights: Tensors, *, rate: float) -> list[dict[str, object]]:
    """Return the parameter groups: with decay, without, and the four gains, which need a higher rate."""
    gains = [values for name, values in weights.items() if name.endswith("gain")]
    decayed = [values for values in weights.values() if values.ndim > 1]
    plain = [values for name, values in weights.items() if values.ndim < 2 and not name.endswith("gain")]
    return [
        {"params": decayed, "weight_decay": 0.05, "rate": rate},
        {"params": plain, "weight_decay": 0.0, "rate": rate},
        {"params": gains, "weight_decay": 0.0, "rate": 10 * rate},
    ]


def loss_of(
    batch: Batch, weights: Tensors, rows: Float[torch.Tensor, "classes 256"], *, map_weight: float
) -> torch.Tensor:
    """Return the loss: distance to the clean teacher (direction, length, classes), and of the last map."""
    tokens, clean, target = batch
    shown = target.isfinite().all(2)  # (groups, views)
    wanted = clean[:, None].expand(-1, tokens.shape[1], -1)[shown]
    with torch.autocast("cpu", torch.bfloat16):
        looked = run_transformer(tokens[shown] * grain(tokens[shown]), weights=weights)
    embedding = looked.embedding.float()
    direction = 1 - functional.cosine_similarity(embedding, wanted, dim=1)
    length = (embedding.norm(dim=1) / wanted.norm(dim=1)).log().square()
    classes = functional.kl_div(
        (embedding @ rows.T).log_softmax(1),
        (wanted @ rows.T).log_softmax(1),
        log_target=True,
        reduction="none",
    ).sum(1)
    seen = looked.attention[-1].float().mean(1).clamp_min(1e-6).log()
    maps = functional.kl_div(seen, target[shown], reduction="none").sum(1)
    return (direction + 0.1 * length + 0.1 * classes + map_weight * maps).mean()


def grain(tokens: Float[torch.Tensor, "views patches 256"]) -> Float[torch.Tensor, "views patches 256"]:
    """Return noise for every channel of every patch, which makes it harder to memorise few photographs."""
    return 1 + NOISE * torch.randn_like(tokens)


@torch.no_grad()
def figures(shards: list[Batch], weights: Tensors | None) -> dict[str, float]:
    """Return cosines to the clean teacher, unchanged and in clutter, and the AUC, on held-back images."""
    cosines, areas = [], []
    for tokens, clean, target in shards:
        flat = tokens.flatten(0, 1)
        if weights is None:
            embedding, seen = flat.mean(1), torch.full(flat.shape[:2], 1 / flat.shape[1])
        else:
            looked = run_transformer(flat, weights=weights)
            embedding, seen = looked.embedding, looked.attention[-1].mean(1)
        cosines.append(
            functional.cosine_similarity(embedding.unflatten(0, (len(clean), -1)), clean[:, None], dim=2)
        )
        areas += [area(a, b) for a, b in zip(seen, target.flatten(0, 1), strict=True)]
    cosine, auc = torch.cat(cosines), torch.tensor(areas)
    return {
        "unchanged": float(cosine[:, 0].mean()),
        "cluttered": float(cosine[:, 1:].mean()),
        "auc": float(auc[auc.isfinite()].mean()),
    }


def area(seen: Float[torch.Tensor, " patches"], target: Float[torch.Tensor, " patches"]) -> float:
    """Return the ROC-AUC of a map for cells above a quarter of the largest share; NaN if all are alike."""
    object_ = target > 0.25 * target.max()
    if not object_.any() or object_.all():
        return float("nan")
    inside, outside = seen[object_][:, None], seen[~object_][None]
    return float(((inside > outside).float() + 0.5 * (inside == outside).float()).mean())


def batches(step: int, steps: int) -> Iterator[Batch]:
    """Yield shuffled groups from a given step on, the same in every run."""
    paths = sorted(SHARDS.glob("train-*.safetensors"))
    if not paths:
        raise SystemExit(f"no training shards in {SHARDS}; run: python -m training.cache")
    shards = [load_file(path) for path in paths]
    tokens, clean, target = (
        torch.cat([shard[name] for shard in shards]) for name in ("tokens", "clean", "target")
    )
    rng = torch.Generator().manual_seed(SEED)
    per_epoch = len(clean) // BATCH
    order = torch.randperm(len(clean), generator=rng)
    for at in range(steps):
        if at and at % per_epoch == 0:
            order = torch.randperm(len(clean), generator=rng)
        if at >= step:
            rows = order[(at % per_epoch) * BATCH :][:BATCH]
            yield tokens[rows].float(), clean[rows], target[rows].float()


def read_shard(path: Path) -> Batch:
    shard = load_file(path)
    return shard["tokens"].float(), shard["clean"], shard["target"].float()


def class_rows() -> Float[torch.Tensor, "classes 256"]:
    """Return the teacher's classifier on projected vectors, without the mean row."""
    rows = published()["_fc.weight"]
    return (rows - rows.mean(0)) @ read_weights(device="cpu")["projection"].T


def pace(step: int, steps: int) -> float:
    """Return the share of the largest learning rate: linear at first, then half a cosine."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.5 + 0.5 * float(torch.cos(torch.tensor(torch.pi * (step - WARM_UP) / max(1, steps - WARM_UP))))


def restored(path: Path, weights: Tensors, optimiser: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    content = torch.load(path, weights_only=True)
    for name, values in content["weights"].items():
        weights[name].data.copy_(values)
    optimiser.load_state_dict(content["optimiser"])
    return content["step"]


def save_aside(content: dict[str, object], path: Path) -> None:
    aside = path.with_suffix(".part")
    torch.save(content, aside)
    aside.rename(path)


def note(step: int, values: dict[str, float], speed: float) -> None:
    LOG.parent.mkdir(exist_ok=True)
    line = "\t".join([str(step), *(f"{value:.4f}" for value in values.values()), f"{speed:.0f}"])
    with LOG.open("a") as file:
        if file.tell() == 0:
            file.write("\t".join(["step", *values, "views a second"]) + "\n")
        file.write(line + "\n")
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
