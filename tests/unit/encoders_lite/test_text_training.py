"""The noun table and the figures of the evaluation, on small hand-made cases."""

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from training.retrieval import recalls, wilson
from training.targets import combined, text_targets
from training.texts import plural
from training.words import Knowledge, read_wordnet, split

# data.noun: synset, topic, type, words, pointers, gloss; "run" is an act, "blue" a quality and an animal.
DATA = """  1 a licence
00000010 03 n 01 animal 0 001 ~ 00000020 n 0000 | lives
00000020 05 n 02 dog 0 domestic_dog 0 001 @ 00000010 n 0000 | barks; "the dog barked"
00000030 05 n 01 pug 0 001 @ 00000020 n 0000 | small dog
00000040 05 n 01 black_pug 0 001 @ 00000030 n 0000 | dark pug
00000050 04 n 01 run 0 000 | an act
00000060 05 n 01 runner 0 002 @ 00000020 n 0000 + 00000050 v 0101 | a dog that runs
00000070 07 n 01 blue 0 000 | a colour
00000080 05 n 01 blue 0 001 @ 00000020 n 0000 | a blue dog
00000090 05 n 01 mouse 0 001 @ 00000010 n 0000 | squeaks
"""
INDEX = """  1 a licence
animal n 1 1 ~ 1 0 00000010
dog n 1 1 @ 1 0 00000020
domestic_dog n 1 1 @ 1 0 00000020
pug n 1 1 @ 1 0 00000030
black_pug n 1 1 @ 1 0 00000040
run n 2 0 2 0 00000050 00000040
squeak n 2 0 2 0 00000050 00000090
a n 1 0 1 0 00000030
runner n 1 1 @ 1 0 00000060
blue n 2 1 @ 2 0 00000070 00000080
mouse n 1 1 @ 1 0 00000090
"""


@pytest.fixture
def known(tmp_path):
    (tmp_path / "data.noun").write_text(DATA)
    (tmp_path / "index.noun").write_text(INDEX)
    (tmp_path / "noun.exc").write_text("mice mouse\n")
    pug, blue, mouse = (frozenset({number}) for number in range(3))
    under = {30: pug, 80: blue, 90: mouse, 20: pug | blue, 10: pug | blue | mouse}
    return Knowledge(wordnet=read_wordnet(tmp_path), classes={30: 0, 80: 1, 90: 2}, under=under)


@pytest.mark.parametrize(
    ("word", "classes"),
    [
        ("dog", {0, 1}),  # what lies under it
        ("pug", {0}),
        ("black pug", {0}),  # the class above it
        ("domestic dogs", {0, 1}),
        ("mice", {2}),
        ("pugs", {0}),
        ("run", set()),  # mostly an act
        ("squeak", {2}),  # mostly an act, but the name of a class
        ("blue", set()),  # mostly a colour
        ("runner", set()),  # no class above or under
        ("a", set()),  # a function word
        ("unheard", set()),
    ],
)
def test_word_stands_for_classes(known, word, classes):
    assert known.of_word(word) == classes


def test_longest_noun_of_a_text_is_found(known):
    found = known.found("Two BLACK PUGS, a blue mouse!")
    assert found == [("black pugs", {0}), ("mouse", {2})]


def test_words_too_general_stand_for_nothing(known, monkeypatch):
    monkeypatch.setattr("training.words.BROADEST", 1)
    assert known.of_word("dog") == frozenset()


def test_glosses_and_words_are_read(known):
    assert known.wordnet.lemmas[20] == ("dog", "domestic dog")
    assert known.wordnet.glosses[20] == 'barks; "the dog barked"'
    assert known.wordnet.above[60] == (20,)


def test_punctuation_parts_words():
    assert split("A knight’s “U-turn”, now!") == ["a", "knight's", "u-turn", "now"]


@pytest.mark.parametrize(
    ("noun", "wanted"), [("fox", "foxes"), ("pony", "ponies"), ("fireman", "firemen"), ("toy", "toys")]
)
def test_plurals(noun, wanted):
    assert plural(noun) == wanted


def test_target_is_the_mean_of_directions(known):
    vectors = torch.diag(torch.tensor([1.0, 5.0, 2.0]))
    both = combined([frozenset({0}), frozenset({2}), frozenset({0})], vectors=vectors)
    torch.testing.assert_close(both, torch.tensor([0.5**0.5, 0, 0.5**0.5]))
    found = text_targets(["a mouse", "nothing"], known=known, vectors=vectors)
    torch.testing.assert_close(found[0], torch.tensor([0.0, 0, 1]))
    assert found[1].isnan().all()


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (7, 10), (10, 10), (101, 214)])
def test_interval_is_wilsons(hits, count):
    wanted = binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson(hits / count, count) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def slow_recall(images, texts, captions, *, among):
    """Return recall in both directions, by sorting, without ties."""
    cosine = (images / np.linalg.norm(images, axis=1)[:, None]) @ (
        texts / np.linalg.norm(texts, axis=1)[:, None]
    ).T
    pictures, words = [], []
    for row, caption in enumerate(captions):
        ranked = list(dict.fromkeys(captions[i] for i in np.argsort(-cosine[row])))
        pictures.append(caption in ranked[:among])
        ranked = [captions[i] for i in np.argsort(-cosine[:, row])]
        words.append(caption in ranked[:among])
    return np.mean(pictures), np.mean(words)


@pytest.mark.parametrize("among", [1, 5])
def test_recall_equals_a_slow_one(among):
    random = np.random.default_rng(2)
    captions = [f"caption {number % 30}" for number in range(40)]
    words = random.normal(size=(30, 8))[np.arange(40) % 30].astype(np.float32)
    images = (words + random.normal(size=(40, 8))).astype(np.float32)
    found = recalls(torch.from_numpy(images), torch.from_numpy(words), captions=captions)
    wanted = slow_recall(images, words, captions, among=among)
    assert tuple(one.share for one in found if one.among == among) == pytest.approx(wanted)
    assert 0.1 < min(wanted) < 0.99


def test_equal_answers_share_the_chance():
    images, words = torch.eye(3), torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [0, 0, 1.0]])
    found = recalls(images[[0, 0, 2]], words, captions=["one", "other", "third"])
    assert found[0].share == pytest.approx(2 / 3)  # half, half, one
    assert found[1].share == 1
