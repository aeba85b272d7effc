"""The list of words: the one that ships, a user's own, and text vectors of a user's own."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embshift.core.errors import PlanError
from embshift.encoders.texts.lite import LITE_QUALITIES
from embshift.encoders.texts.vector_file import read_text_vectors
from embshift.encoders.texts.word_list import PROMPT, Word, choose_words, fill_prompt, read_words


def write(tmp_path, content, encoding="utf-8"):
    (tmp_path / "words.txt").write_bytes(content.encode(encoding))
    return tmp_path / "words.txt"


def test_the_list_that_ships_marks_every_word():
    words = read_words()
    assert {word.kind for word in words} == {"quality", "noun"}
    assert sum(word.kind == "noun" for word in words) == 150
    assert {"blurry", "noisy", "dark", "bright", "rotated", "cropped", "grey", "colourful"} <= {
        word.text for word in words
    }


def test_lite_is_asked_for_nouns_only():
    words = (Word(text="blurry", kind="quality"), Word(text="dog", kind="noun"), Word(text="mine"))
    assert choose_words(words, family="lite") == (words[1:], 1)
    assert choose_words(words, family="clip") == (words, 0)
    assert "quality" in LITE_QUALITIES


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list_of_one_s_own(tmp_path, encoding, end):
    lines = ["# mine", "verträumt\tquality", "", "  old   town ", "old town\tnoun", "dog"]
    assert read_words(write(tmp_path, end.join(lines), encoding)) == (
        Word(text="verträumt", kind="quality"),
        Word(text="old town"),
        Word(text="dog"),
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "has 0 different words; expected 2 to 20,000"),
        ("dog\ndog\n", "has 1 different words"),
        ("dog\tanimal\ncat\n", r"line 1 of .* is 'dog\\tanimal'; expected .*: quality or noun"),
        ("dog\n\tnoun\n", "line 2"),
        ("\n".join(map(str, range(20_001))), "20,001 different words"),
    ],
)
def test_a_list_that_does_not_do_is_explained(tmp_path, content, told):
    with pytest.raises(PlanError, match=told):
        read_words(write(tmp_path, content))


def test_a_list_that_cannot_be_opened_is_explained(tmp_path):
    with pytest.raises(PlanError, match=r"list of words '.*absent' cannot be read: No such file"):
        read_words(tmp_path / "absent")
    (tmp_path / "binary").write_bytes(b"\x89PNG\xff")
    with pytest.raises(PlanError, match="is not utf-8"):
        read_words(tmp_path / "binary")


def test_prompts_take_one_word():
    assert fill_prompt(PROMPT, ["dog", "{}"]) == ("a photo of a dog", "a photo of a {}")
    for wrong in ("a photo", "{} and {}"):
        with pytest.raises(PlanError, match=r"expected one: 'a photo of a \{\}'"):
            fill_prompt(wrong, ["dog"])


def save(tmp_path, texts, vectors, kind=None, **more):
    table = pa.table({"text": texts, "vector": pa.array(vectors, kind), **more})
    pq.write_table(table, tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.float32()), pa.list_(pa.float64(), 3), pa.large_list(pa.float16()), pa.list_(pa.int8())],
)
def test_text_vectors_of_one_s_own(tmp_path, kind):
    vectors = np.array([[1, 2, 3], [0, 0, 4]], np.float16)
    found = read_text_vectors(save(tmp_path, ["a", "b"], vectors.tolist(), kind, more=[1, 2]), dim=3)
    assert found.texts == ("a", "b")
    assert np.array_equal(found.vectors, vectors)


@pytest.mark.parametrize(
    ("texts", "vectors", "told"),
    [
        (["a", "a"], [[1.0, 2.0]] * 2, "has the text 'a' twice"),
        (["a", " "], [[1.0, 2.0]] * 2, "row 1 of .* has the text ' '"),
        ([None, "a"], [[1.0, 2.0]] * 2, "row 0 of .* has the text None"),
        ([1, 2], [[1.0, 2.0]] * 2, "row 0 of .* has the text 1"),
        (["a", "b"], [[1.0, 2.0], [1.0]], "row 1 of .* has a vector of 1 numbers; the encoder's .* have 2"),
        (["a", "b"], [[1.0, 2.0], None], "row 1 of .* has no vector"),
        (["a", "b"], [[1.0, 2.0], [1.0, None]], "row 1 of .* is 0 or not finite"),
        (["a", "b"], [[1.0, 2.0], [0.0, 0.0]], "row 1 of .* is 0 or not finite"),
        (["a", "b"], [[1.0, 2.0], [1.0, float("inf")]], "row 1 of .* is 0 or not finite"),
        (["a", "b"], [1.0, 2.0], "column 'vector' of .* holds double"),
        (["a", "b"], [["x"], ["y"]], "holds list<.*string>"),
        ([], [], "has 0 rows"),
    ],
)
def test_text_vectors_that_do_not_fit_are_explained(tmp_path, texts, vectors, told):
    with pytest.raises(PlanError, match=told):
        read_text_vectors(save(tmp_path, texts, vectors), dim=2)


def test_a_file_without_text_vectors_is_explained(tmp_path):
    pq.write_table(pa.table({"word": ["a"]}), tmp_path / "other.parquet")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1")
    for name, told in (
        ("other.parquet", "1 rows and the columns word; expected the columns 'text'"),
        ("damaged.parquet", "cannot be read as Parquet"),
        ("absent.parquet", "there is no such file"),
    ):
        with pytest.raises(PlanError, match=told):
            read_text_vectors(tmp_path / name, dim=2)
