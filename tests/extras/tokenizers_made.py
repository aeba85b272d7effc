"""Small tokenizers of Hugging Face, made and saved as the library saves them."""

from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def save_unigram(folder: Path, *, known=f"▁{LETTERS}") -> Path:
    """SigLIP's kind: pieces of words, an end token, padded with it."""
    pieces = [("<unk>", 0.0), ("</s>", 0.0), *((letter, -3.0) for letter in known)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return _save(tokenizer, folder, unk_token="<unk>", eos_token="</s>", pad_token="</s>")


def save_word_piece(folder: Path) -> Path:
    """BERT's kind: letters in lower case between a class and a separating token."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces = [*specials, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {piece: at for at, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    named = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return _save(tokenizer, folder, **named, bos_token="[CLS]", eos_token="[SEP]")


def save_byte_pairs(folder: Path) -> Path:
    """RoBERTa's kind: case is kept, start and end, and padding that the network masks."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *LETTERS, "do"]
    vocabulary = {piece: at for at, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[("d", "o")], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    named = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    return _save(tokenizer, folder, **named, cls_token="<s>", sep_token="</s>")


def save_tower(folder: Path) -> Path:
    """Write the configuration of a text tower of transformers."""
    XLMRobertaConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=24,
    ).save_pretrained(folder)
    return folder


def _save(tokenizer, folder: Path, **named) -> Path:
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)
    return folder
