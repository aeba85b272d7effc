"""Small checkpoints with a text side: those of `families.py`, each with a small tokenizer of its own kind."""

import json
from pathlib import Path

import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from tests.unit.encoders.families import make_checkpoint

__all__ = ["TEXT_FAMILIES", "make_text_checkpoint", "write_tokenizer"]

START, END, UNKNOWN = "<|startoftext|>", "<|endoftext|>", "<unk>"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEXT_FAMILIES = ("clip", "metaclip2", "siglip", "siglip2")


def write_tokenizer(family: str, folder: Path) -> Path:
    """Write a small tokenizer of a family's kind into a folder, and return the folder."""
    globals()[f"_write_{family}"](folder)
    return folder


def make_text_checkpoint(family: str, folder: Path) -> Path:
    """Write a small checkpoint with both towers and a tokenizer to a new folder, and return the folder."""
    return write_tokenizer(family, make_checkpoint(family, folder))


def _write_clip(folder: Path) -> None:
    """Byte pairs, all of them single letters but "do": the numbers end below the tower's 64."""
    pieces = [START, END, *LETTERS, *(f"{letter}</w>" for letter in LETTERS), "!</w>", "do"]
    vocabulary = {piece: at for at, piece in enumerate(pieces)}
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=[("d", "o")])
    tokenizer.save_pretrained(folder)


def _write_unigram(folder: Path, *, specials: list[str], start: str = "", known: str, **stated: str) -> None:
    scores = [(piece, 0.0) for piece in specials] + [(piece, -3.0) for piece in known]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=specials.index(UNKNOWN), byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    ends = [(name, specials.index(name)) for name in (start, "</s>") if name]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A </s>".strip(), special_tokens=ends
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"eos_token": "</s>", "pad_token": "</s>", "unk_token": UNKNOWN, **stated}
    (folder / "tokenizer_config.json").write_text(json.dumps(named), encoding="utf-8")


def _write_metaclip2(folder: Path) -> None:
    _write_unigram(
        folder,
        specials=["<s>", "</s>", UNKNOWN],
        start="<s>",
        known=f"{LETTERS}▁DOG!",
        bos_token="<s>",
        cls_token="<s>",
        sep_token="</s>",
        tokenizer_class="PreTrainedTokenizerFast",
    )


def _write_siglip(folder: Path) -> None:
    """As published: the file states SigLIP's class, which keeps case and punctuation out."""
    _write_unigram(
        folder,
        specials=[UNKNOWN, "</s>"],
        known=f"{LETTERS}▁DOG!",
        tokenizer_class="SiglipTokenizer",
    )


def _write_siglip2(folder: Path) -> None:
    pieces = ["<pad>", "<eos>", "<bos>", UNKNOWN, "<mask>", *LETTERS, "▁", *"DOG!"]
    vocabulary = {piece: at for at, piece in enumerate(pieces)}
    tokenizer = transformers.Siglip2Tokenizer(vocab=vocabulary, merges=[])
    tokenizer.save_pretrained(folder)
