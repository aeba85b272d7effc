"""Lists with captions, labels and names: in their order, row by row, with the line of whatever is wrong."""

import json
import subprocess
import sys

import pytest

from embshift.core.errors import PlanError, SourceError
from embshift.images import LeftOut, Limits, decode, list_sources


def write(path, text, encoding="utf-8"):
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def listed(path):
    left = LeftOut()
    return list_sources([path], left=left), left


def said(records):
    return [(one.member, one.source_id, one.caption, one.label) for one in records]


LINES = [
    {"path": "z.jpg", "caption": "two  words", "id": 7, "label": "cat"},
    {"path": "sub/a.jpg", "caption": "", "id": None, "label": 3},
    {"path": "m.jpg", "caption": ["first", "second"], "id": "x", "label": None},
]
WANTED = [("z.jpg", "7", "two words", "cat"), ("sub/a.jpg", None, None, "3"), ("m.jpg", "x", "first", None)]


def test_json_lines_keep_their_order(tmp_path):
    path = write(tmp_path / "l.jsonl", "\n".join(map(json.dumps, LINES)) + "\n\n")
    found, left = listed(path)
    assert said(found) == WANTED
    assert [one.path for one in found] == [str(tmp_path / line["path"]) for line in LINES]
    assert not list(left.lines())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("suffix", "mark"), [(".csv", ","), (".TSV", "\t")])
def test_tables_keep_their_order(tmp_path, encoding, suffix, mark):
    rows = [["Path", "text", "ID", "label"]]
    rows += [["z.jpg", "é two  words", "7", "cat"], ["a.jpg", "", "", ""], ["m.jpg", "=1+1", "x", "dog"]]
    path = write(tmp_path / f"l{suffix}", "\r\n".join(mark.join(row) for row in rows), encoding)
    found, _ = listed(path)
    assert said(found) == [
        ("z.jpg", "7", "é two words", "cat"),
        ("a.jpg", None, None, None),
        ("m.jpg", "x", "=1+1", "dog"),
    ]


def test_a_table_of_paths_alone_is_sorted_as_before(tmp_path):
    path = write(tmp_path / "l.csv", "path,price\nz.jpg,1\na.jpg,2\nz.jpg,3\n")
    assert said(listed(path)[0]) == [("a.jpg", None, None, None), ("z.jpg", None, None, None)]


def test_addresses_of_files_and_names_that_are_no_text(tmp_path):
    (tmp_path / "ä b.jpg").write_bytes(b"x")
    (tmp_path / "caf\udce9.jpg").write_bytes(b"x")
    path = write(
        tmp_path / "l.csv",
        f"file,label\nfile://{tmp_path}/%C3%A4%20b.jpg,one\n".encode() + b"caf\xe9.jpg,two\n",
    )
    assert [one.path for one in listed(path)[0]] == [f"{tmp_path}/ä b.jpg", f"{tmp_path}/caf\udce9.jpg"]


def test_repeats_and_equal_ids_are_told(tmp_path):
    rows = [("a.jpg", "1"), ("./a.jpg", "2"), ("b.jpg", "1"), ("c.jpg", "")]
    path = write(tmp_path / "l.csv", "path,id\n" + "".join(f"{a},{b}\n" for a, b in rows))
    found, left = listed(path)
    assert said(found) == [
        ("a.jpg", "1", None, None),
        ("b.jpg", "1", None, None),
        ("c.jpg", None, None, None),
    ]
    assert sorted(left.lines()) == [
        "1 line kept: its id is that of an earlier line, too (l.csv, line 4)",
        "1 line left out: names an image that an earlier line names, whose caption, label and id count"
        " (l.csv, line 3)",
    ]
    assert [one["count"] for one in left.content()] == [1]


WRONG = {
    "not json": ("l.jsonl", '{"path": "a.jpg"}\n{"path": \n', "line 2 of .* is not JSON"),
    "no object": ("l.jsonl", "[1]", "line 1 of .* expected a JSON object"),
    "no path": ("l.jsonl", '{"caption": "a"}', "for images expected one named"),
    "two paths": ("l.jsonl", '{"path": "a", "file": "b"}', "for images expected one named"),
    "null": ("l.jsonl", '{"path": null}', "line 1 of .* names the image None"),
    "blank": ("l.csv", "path,label\n,a\n", "line 2 of .* names the image ''"),
    "nested": ("l.jsonl", "[" * 100_000, "nested too deeply"),
    "long line": (
        "l.jsonl",
        '{"path": "' + "a" * 2**20 + '"}',
        "line 1 of .* has more than 1,048,576 characters",
    ),
    "long line of many": ("l.csv", "path,label\na.jpg," + "a" * 2**20, "line 2 of .* more than"),
    "long cell": ("l.csv", "path,label\na.jpg," + "a" * 200_000, "line 2 of .*field larger than"),
    "long cell of paths": ("l.csv", "path\n" + "a" * 200_000, "field larger than"),
    "latin": ("l.jsonl", b'{"path": "a", "label": "\xe9"}', "line 1 of .* is not UTF-8"),
    "latin table": ("l.csv", b"path,label\na,b\nc,\xe9\n", "line 3 of .* is not UTF-8"),
    "half a mark": ("l.csv", b"\xff\xfep\0a", "begins as UTF-16|expected one named"),
    "fewer values": ("l.csv", "path,label,id\na.jpg,b\n", "line 2 of .* has 2 values; expected 3"),
    "open quote": ("l.csv", 'path,label\na.jpg,"b\n', "line 2 of .*cannot be read"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_line(tmp_path, name):
    file, content, message = WRONG[name]
    with pytest.raises((PlanError, SourceError), match=message):
        list_sources([write(tmp_path / file, content)])


def test_what_no_file_can_be_called_is_a_row_with_a_status(tmp_path):
    lines = [{"path": "a\0b.jpg", "label": "n\0"}, {"path": "x" * 5000}, {"path": "\ud800"}, {"path": "."}]
    found, _ = listed(write(tmp_path / "l.jsonl", "\n".join(map(json.dumps, lines))))
    assert [decode(one, limits=Limits()).status for one in found] == [
        "unreadable",
        "unreadable",
        "unreadable",
        "not_a_file",
    ]


def test_a_long_caption_is_left_out_and_told(tmp_path):
    found, left = listed(write(tmp_path / "l.jsonl", json.dumps({"path": "a.jpg", "caption": "é" * 20_000})))
    assert said(found) == [("a.jpg", None, None, None)]
    assert "32,768 bytes" in next(left.lines())


@pytest.mark.slow
def test_a_long_list_is_never_held(tmp_path):
    with (tmp_path / "l.jsonl").open("w") as file:
        for at in range(10**5):
            file.write(
                f'{{"path": "photos/{at:09d}.jpg", "caption": "a photo of number {at}", "id": "{at}"}}\n'
            )
    code = (
        "import resource, sys; from embshift.images import stream_sources\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak()\n"
        "assert sum(1 for _ in stream_sources([sys.argv[1]])) == 10**5\n"
        "print(peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "l.jsonl"], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 45  # MiB: the paths, to find those that are named twice; a million take 180
