"""Labels and captions from files: encodings, tables, JSON Lines, which image a row means, what is refused."""

import json
import os

import pytest

from embshift.core.errors import PlanError
from embshift.core.types import ImageRecord
from embshift.images.captions import read_captions
from embshift.images.labels import read_labels


@pytest.fixture
def records(tmp_path):
    """Four images: two have one name in two folders, the last is in memory."""
    members = ["cats/one.jpg", "cats/two.jpg", "dogs/one.jpg"]
    for member in members:
        (tmp_path / member).parent.mkdir(exist_ok=True)
        (tmp_path / member).touch()
    on_disk = [
        ImageRecord(row=at, source="photos", member=member, path=str(tmp_path / member))
        for at, member in enumerate(members)
    ]
    return (*on_disk, ImageRecord(row=3, source="memory", member=""))


def write(tmp_path, name, content, encoding="utf-8"):
    (tmp_path / name).write_bytes(content.encode(encoding))
    return tmp_path / name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_labels_are_one_a_line(records, tmp_path, encoding, end):
    file = write(
        tmp_path, "labels.txt", end.join(["# mine", "Katze", "", " süßer  Hund ", "Katze"]), encoding
    )
    found = read_labels(file, records=records)
    assert found.names == ("Katze", "süßer Hund")
    assert found.truth == (-1, -1, -1, -1)
    assert (found.labelled, found.unmatched) == (0, 0)


def test_labels_are_the_names_of_folders(records):
    found = read_labels("folders", records=records)
    assert found.names == ("cats", "dogs")
    assert found.truth == (0, 0, 1, -1)
    assert found.labelled == 3


def test_a_file_named_folders_is_still_a_file(records, tmp_path):
    assert read_labels(write(tmp_path, "folders", "a\nb"), records=records).names == ("a", "b")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", 'file,label\ncats/one.jpg,cat\n"dogs/one.jpg","a dog, small"\nlost.jpg,cat\n'),
        ("t.tsv", "Path\tClass\ncats/one.jpg\tcat\ndogs/one.jpg\ta dog, small\nlost.jpg\tcat\n"),
        (
            "t.jsonl",
            '{"image": "cats/one.jpg", "label": "cat"}\n\n'
            '{"image": "dogs/one.jpg", "label": "a dog, small"}\n'
            '{"image": "lost.jpg", "label": "cat"}\n',
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_true_labels_are_in_a_column(records, tmp_path, name, content, encoding):
    found = read_labels(write(tmp_path, name, content, encoding), records=records)
    assert found.names == ("cat", "a dog, small")
    assert found.truth == (0, -1, 1, -1)
    assert found.unmatched == 1


def test_the_column_of_labels_can_be_named(records, tmp_path):
    file = write(tmp_path, "t.csv", "file,label,breed\ncats/one.jpg,1,tabby\ncats/two.jpg,1,persian\n")
    assert read_labels(file, records=records, column="Breed").names == ("tabby", "persian")
    with pytest.raises(PlanError, match="has the columns file, label, breed; for labels expected 'kind'"):
        read_labels(file, records=records, column="kind")


def test_a_table_without_images_holds_names_alone(records, tmp_path):
    found = read_labels(write(tmp_path, "t.csv", "label\ncat\ndog\n"), records=records)
    assert (found.names, found.labelled, found.unmatched) == (("cat", "dog"), 0, 0)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("cats/two.jpg", 1),
        ("./cats/../cats/two.jpg", 1),
        ("cats\\two.jpg", 1),
        ("two.jpg", 1),
        ("{top}/dogs/one.jpg", 2),
        ("one.jpg", None),  # two images have this name
        ("three.jpg", None),
        ("", None),
        ("x" * 5000, None),
    ],
)
def test_an_image_is_found_by_path_or_name(records, tmp_path, written, at):
    written = written.replace("{top}", str(tmp_path))
    lines = [json.dumps({"file": one, "caption": "c"}) for one in (written, "cats/one.jpg")]
    found = read_captions(write(tmp_path, "c.jsonl", "\n".join(lines)), records=records)
    assert found.owners == ((0,) if at is None else (at, 0))
    assert found.unmatched == (at is None)


def test_names_are_found_from_another_folder(records, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    content = "file,caption\ntwo.jpg,by name\ndogs/one.jpg,below the source\n"
    found = read_captions(write(tmp_path / "elsewhere", "c.csv", content), records=records)
    assert found.owners == (1, 2)


def test_an_image_may_have_several_captions(records, tmp_path):
    lines = [
        {"file": "two.jpg", "captions": ["a  cat", "a cat", "it sleeps"]},
        {"file": "dogs/one.jpg", "captions": "a cat"},
        {"file": "lost.jpg", "captions": "a fox"},
    ]
    file = write(tmp_path, "c.jsonl", "\n".join(map(json.dumps, lines)))
    found = read_captions(file, records=records)
    assert found.texts == ("a cat", "it sleeps", "a cat")
    assert found.owners == (1, 1, 2)
    assert (found.unmatched, found.images) == (1, 2)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("l.txt", "cat\ncat\n", r"l.txt': 1 different labels \(cat\); expected 2 or more"),
        ("l.txt", "", "0 different labels; expected 2 or more"),
        ("l.csv", "file,label\n", "0 different labels"),
        ("l.csv", "file,label\ntwo.jpg,\n", "line 2 of .* has no label; expected one in column 'label'"),
        ("l.csv", "file,label\ntwo.jpg\n", "line 2 of .* has 1 values; expected 2: file, label"),
        ("l.csv", "file,label,Label\ntwo.jpg,a,b\n", "two columns 'label'"),
        ("l.csv", "file,path,label\na,b,c\n", "columns file, path, label; for images expected one named"),
        ("l.csv", "file,kind\na,b\n", "has the columns file, kind; for labels expected one named category"),
        ("l.csv", "label,class\na,b\n", "for labels expected one named"),
        ("l.csv", 'label\n"a\n', "cannot be read: unexpected end"),
        (
            "l.csv",
            "file,label\ntwo.jpg,a\ncats/two.jpg,b\n",
            "line 3 .* second label to cats/two.jpg: 'b' after",
        ),
        ("l.jsonl", "{}\n{", "has the columns ; for labels"),
        ("l.jsonl", '{"label": "a"}\n{', "line 2 of .* is not JSON"),
        ("l.jsonl", "[1]", r"line 1 of .* is '\[1\]'; expected a JSON object"),
        ("l.jsonl", '{"label": "a"}\n{"label": "b", "file": "x"}', "names images in some lines only"),
        ("l.jsonl", "[" * 100_000, "nested too deeply"),
        ("l.jsonl", '{"label": "a"}\n{"label": null}', "line 2 of .* has no label"),
        ("l.jsonl", '{"label": "a"}\n{"label": {"b": 1}}', "line 2 of .* has no label"),
    ],
)
def test_labels_that_cannot_be_read_are_explained(records, tmp_path, name, content, told):
    with pytest.raises(PlanError, match=told):
        read_labels(write(tmp_path, name, content), records=records)


def test_files_that_cannot_be_opened_are_explained(records, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\nb\n")
    for name, told in (
        ("absent.txt", "cannot be read: No such file"),
        (".", "cannot be read: Is a directory"),
        ("pipe", "it is a pipe"),
        ("latin.txt", "line 1 is not utf-8; save the file as UTF-8"),
    ):
        with pytest.raises(PlanError, match=told):
            read_labels(tmp_path / name, records=records)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("c.txt", "a", "expected a name that ends in .csv, .tsv or .jsonl"),
        ("c.csv", "file,caption\n", "none of the 0 captions"),
        ("c.csv", "file,caption\nlost.jpg,a\n", "none of the 1 captions .*; the first names 'lost.jpg'"),
        ("c.csv", "file,caption\ntwo.jpg, \n", "line 2 of .* has the caption ' '"),
        ("c.jsonl", '{"file": "two.jpg", "caption": 3}', "has the caption 3"),
        ("c.jsonl", '{"file": "two.jpg", "caption": []}', r"has the caption \[\]"),
        ("c.jsonl", '{"caption": "a"}', "for images expected one named"),
    ],
)
def test_captions_that_cannot_be_read_are_explained(records, tmp_path, name, content, told):
    with pytest.raises(PlanError, match=told):
        read_captions(write(tmp_path, name, content), records=records)
