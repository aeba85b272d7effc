"""Training of the text side of ``lite``: texts towards the classifier rows of their nouns.

Run ``python -m training.train_text`` from the root of the repository. The loss is 1 - cosine to the noun
table's vector, plus InfoNCE over the batch without equal targets. What a step draws depends only on the seed
and the step. An interrupted run continues where it stopped, and a larger ``--texts`` trains a finished one
further. It writes ``build/training/text.safetensors``, the log ``training/logs/text.tsv`` and, once, the byte
pairs next to the encoder's weights: new byte pairs need new training.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch.nn import functional
from training import sources, texts
from training.targets import class_vectors, combined
from training.words import INSIDE, PACKAGE, Knowledge, knowledge

from embshift.encoders.lite.text import END, LENGTH, PADDING, TOKENIZER, run_text_tower, tokenize_texts

TARGET = sources.BUILD / "text.safetensors"
CHECKPOINT = sources.BUILD / "text.checkpoint"
LOG = Path(__file__).parent / "logs" / "text.tsv"
ENTRIES, WIDTH, LAYERS, RATIO, DIM = 4096, 192, 3, 2, 256
BATCH, BATCHES = 256, 4
"""Texts in a batch, and batches that are drawn together and sorted by length, to reduce padding."""
RATE, DECAY, WARM_UP, COOLING = 1.5e-3, 0.01, 200, 0.2
TEMPERATURE = 0.07
EVERY = 200

Parameters = dict[str, torch.Tensor]
Vectors = Float32[torch.Tensor, "texts 256"]
COLUMNS = ("step", "texts", "seconds", "rate", "loss", "cosine", "prompts", "nouns", "sentences")


@dataclass(slots=True, kw_only=True)
class State:
    """The content of a checkpoint."""

    parameters: Parameters
    optimizer: torch.optim.AdamW
    step: int = 0
    seen: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """The training data: texts and their target vectors."""

    known: Knowledge
    corpus: texts.Corpus
    vectors: Float32[torch.Tensor, "classes 256"]
    seed: int
    wanted: int


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    folder = options.wordnet or sources.unpack(PACKAGE) / INSIDE
    known = knowledge(folder)
    corpus = texts.build(known, folder=folder)
    if not TOKENIZER.exists():
        TOKENIZER.write_text(byte_pairs(corpus.prose), encoding="utf-8")
    task = Task(known=known, corpus=corpus, vectors=class_vectors(), seed=options.seed, wanted=options.texts)
    state = resumed(options.seed)
    train(task, state=state, until=time.perf_counter() + 60 * options.minutes)
    save_file(halved(state.parameters), TARGET)
    sys.stdout.write(f"{TARGET}: {TARGET.stat().st_size} bytes\n{json.dumps(validated(task))}\n")
    return 0


def train(task: Task, *, state: State, until: float) -> None:
    """Train until enough texts are seen or the time is up."""
    began = time.perf_counter() - state.seconds
    while state.seen < task.wanted and time.perf_counter() < until:
        losses = [_stepped(batch, task=task, state=state) for batch in _batches(task, state=state)]
        state.seconds = time.perf_counter() - began
        if state.step // BATCHES % (EVERY // BATCHES) == 0 or state.seen >= task.wanted:
            _write_log(task, state=state, losses=losses)
            _keep(state)
    _keep(state)


def initial(seed: int, /) -> Parameters:
    """Return initial parameters: normal, deviation .02 for tables, 1 / sqrt(inputs) for products; norms 1."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int, deviation: float) -> torch.Tensor:
        return torch.randn(shape, generator=random) * deviation

    values = {
        "text.tokens": normal(ENTRIES, WIDTH, deviation=0.02),
        "text.positions": normal(LENGTH, WIDTH, deviation=0.02),
        "text.norm.weight": torch.ones(WIDTH),
        "text.norm.bias": torch.zeros(WIDTH),
        "text.projection": normal(DIM, WIDTH, deviation=WIDTH**-0.5),
    }
    sizes = {"qkv": (3, 1), "out": (1, 1), "wide": (RATIO, 1), "narrow": (1, RATIO)}
    for block in (f"text.blocks.{index}" for index in range(LAYERS)):
        for name, (out, into) in sizes.items():
            deviation = (into * WIDTH) ** -0.5 * (0.5 if name in {"out", "narrow"} else 1)
            values[f"{block}.{name}.weight"] = normal(out * WIDTH, into * WIDTH, deviation=deviation)
            values[f"{block}.{name}.bias"] = torch.zeros(out * WIDTH)
        for name in ("norm1", "norm2"):
            values[f"{block}.{name}.weight"] = torch.ones(WIDTH)
            values[f"{block}.{name}.bias"] = torch.zeros(WIDTH)
    return {name: parameter.requires_grad_() for name, parameter in values.items()}


def resumed(seed: int, /) -> State:
    """Return the state of the checkpoint, or a new one."""
    parameters = initial(seed)
    optimizer = torch.optim.AdamW(parameters.values(), lr=RATE, betas=(0.9, 0.98), weight_decay=DECAY)
    state = State(parameters=parameters, optimizer=optimizer)
    if CHECKPOINT.exists():
        kept = torch.load(CHECKPOINT, weights_only=True)
        with torch.no_grad():
            for name, values in kept["parameters"].items():
                parameters[name].copy_(values)
        optimizer.load_state_dict(kept["optimizer"])
        state.step, state.seen, state.seconds = kept["step"], kept["seen"], kept["seconds"]
    return state


def loss_of(predicted: Vectors, wanted: Vectors) -> torch.Tensor:
    """Return 1 - cosine, plus InfoNCE over the batch without pairs that share a target."""
    predicted = functional.normalize(predicted, dim=1)
    same = (wanted @ wanted.T > 0.999).fill_diagonal_(False)
    logits = (predicted @ wanted.T / TEMPERATURE).masked_fill(same, -torch.inf)
    matching = functional.cross_entropy(logits, torch.arange(len(wanted)))
    return (1 - (predicted * wanted).sum(1)).mean() + 0.25 * matching


def validated(task: Task, /) -> dict[str, dict[str, float]]:
    """Return mean cosine and share of correct nearest targets of held-out texts, in half precision."""
    weights = {name: values.float() for name, values in load_file(TARGET).items()}
    return {kind: _agreement(held, task=task, weights=weights) for kind, held in task.corpus.held.items()}


def byte_pairs(prose: Sequence[str], /) -> str:
    """Return a tokenizer as JSON: lower case, bytes, 4096 entries; first padding, then the end of text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=ENTRIES,
        special_tokens=["<padding>", "<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(prose, trainer)
    if [tokenizer.token_to_id(name) for name in ("<padding>", "<end>")] != [PADDING, END]:
        raise SystemExit("the tokenizer numbers its own tokens differently; wanted padding 0 and end 1")
    return tokenizer.to_str(pretty=False)


def halved(parameters: Parameters) -> dict[str, torch.Tensor]:
    return {name: parameters[name].detach().to(torch.float16).contiguous() for name in sorted(parameters)}


def _batches(task: Task, *, state: State) -> list[tuple[Int64[torch.Tensor, "texts tokens"], Vectors]]:
    rng = np.random.default_rng([task.seed, state.step])
    drawn = texts.drawn(task.corpus, count=BATCH * BATCHES, known=task.known, rng=rng)
    rows = tokenize_texts([text.words for text in drawn], entries=ENTRIES)
    targets = torch.stack([combined(text.nouns, vectors=task.vectors) for text in drawn])
    lengths = (rows != PADDING).sum(1)
    order = lengths.argsort(stable=True).chunk(BATCHES)
    return [
        (rows[order[i], : int(lengths[order[i]].max())], targets[order[i]]) for i in rng.permutation(BATCHES)
    ]


def _stepped(batch: tuple[torch.Tensor, Vectors], *, task: Task, state: State) -> tuple[float, float]:
    rows, targets = batch
    for group in state.optimizer.param_groups:
        group["lr"] = _rate(state.step, share=state.seen / task.wanted)
    predicted = run_text_tower(rows, weights=state.parameters)
    loss = loss_of(predicted, targets)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.parameters.values(), 1.0)
    state.optimizer.step()
    state.step, state.seen = state.step + 1, state.seen + len(rows)
    return loss.item(), functional.cosine_similarity(predicted.detach(), targets).mean().item()


def _rate(step: int, *, share: float) -> float:
    """Return the learning rate: it rises at first, and falls to a hundredth over the last fifth of texts."""
    falling = 0.5 + 0.5 * math.cos(math.pi * max(0.0, 1 - (1 - share) / COOLING))
    return RATE * min(1, (step + 1) / WARM_UP) * max(0.01, falling)


def _agreement(
    held: Sequence[texts.Text], *, task: Task, weights: Mapping[str, torch.Tensor]
) -> dict[str, float]:
    wanted = torch.stack([combined(text.nouns, vectors=task.vectors) for text in held])
    rows = tokenize_texts([text.words for text in held], entries=ENTRIES)
    with torch.no_grad():
        got = functional.normalize(run_text_tower(rows, weights=weights), dim=1)
    # Among all targets of the set; equal ones count as one.
    best = (got @ wanted.T).max(1).values
    own = (got * wanted).sum(1)
    return {
        "texts": len(held),
        "cosine": round(float(own.mean()), 4),
        "nearest": float((own >= best - 1e-5).float().mean()),
    }


def _write_log(task: Task, *, state: State, losses: Sequence[tuple[float, float]]) -> None:
    weights = {name: values.detach() for name, values in state.parameters.items()}
    held = [_agreement(texts, task=task, weights=weights)["nearest"] for texts in task.corpus.held.values()]
    loss, cosine = np.mean(losses, axis=0)
    rate = state.optimizer.param_groups[0]["lr"]
    numbers = (
        state.step,
        state.seen,
        round(state.seconds),
        f"{rate:.1e}",
        *(f"{x:.4f}" for x in (loss, cosine, *held)),
    )
    line = "\t".join(map(str, numbers)) + "\n"
    LOG.parent.mkdir(exist_ok=True)
    if state.step <= EVERY or not LOG.exists():
        LOG.write_text("\t".join(COLUMNS) + "\n", encoding="utf-8")
    with LOG.open("a", encoding="utf-8") as file:
        file.write(line)
    sys.stdout.write(line)
    sys.stdout.flush()


def _keep(state: State) -> None:
    aside = CHECKPOINT.with_suffix(".part")
    counts = {"step": state.step, "seen": state.seen, "seconds": state.seconds}
    parameters = {name: values.detach() for name, values in state.parameters.items()}
    torch.save({"parameters": parameters, "optimizer": state.optimizer.state_dict(), **counts}, aside)
    # A rename is atomic: a run that dies here leaves the previous checkpoint.
    aside.replace(CHECKPOINT)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the text side of the bundled encoder.")
    parser.add_argument(
        "--texts",
        type=int,
        default=1_100_000,
        help="texts to see in total; the learning rate falls towards that number",
    )
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="stop after so many minutes; the next run continues"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wordnet", type=Path, help="folder with data.noun (default: fetched)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
