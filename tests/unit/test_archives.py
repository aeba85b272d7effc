"""Tar archives as sources: members are listed by one pass over the headers and read by range."""

import io
import json
import os
import random
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embshift.core.errors import PlanError, SourceError
from embshift.images import LeftOut, Limits, decode, list_sources
from embshift.images.tar_headers import TarDamage, walk_tar


def image(seed, kind="PNG"):
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(held := io.BytesIO(), kind)
    return held.getvalue()


def pack(path, members, form=tarfile.PAX_FORMAT):
    """Write an archive of (name or header, bytes)."""
    with tarfile.open(path, "w", format=form) as archive:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(data))
    return path


def special(name, kind, **fields):
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def listed(*sources):
    left = LeftOut()
    try:
        found = list_sources(sources, left=left)
    except SourceError:
        found = ()
    return found, left


def why(left):
    return {one["reason"].split(";")[0]: one["count"] for one in left.content()}


def read(record):
    return decode(record, limits=Limits())


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_members_are_read_by_range_as_their_files_are(tmp_path, form):
    long = "a/" * 60 + "ä.png" if form != tarfile.USTAR_FORMAT else "a/" * 45 + "b.png"
    names = ["b.png", "a.JPG", long, "./dir/c.webp"]
    data = [image(0), image(1, "JPEG"), image(2), image(3, "WEBP")]
    path = pack(tmp_path / "s.tar", [(special("dir", tarfile.DIRTYPE), b""), *zip(names, data)], form)
    found, left = listed(path)
    assert [one.member for one in found] == ["b.png", "a.JPG", long, "dir/c.webp"]
    assert [one.row for one in found] == [0, 1, 2, 3]
    assert not left.content()
    for record, content in zip(found, data):
        alone = tmp_path / "alone"
        alone.write_bytes(content)
        (whole,) = list_sources([alone])
        one, other = read(record), read(whole)
        assert (one.sha256, one.bytes, one.status) == (other.sha256, len(content), "ok")
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_texts_beside_an_image_are_its_caption_label_and_id(tmp_path):
    fields = {"caption": "of the fields", "label": 3, "id": "x1", "width": 9}
    path = pack(
        tmp_path / "s.tar",
        [
            ("0.txt", b" two\n words "),
            ("0.png", image(0)),
            ("0.cls", b"7"),
            ("0.json", json.dumps(fields).encode()),
            ("1.v2.png", image(1)),
            ("1.v2.json", json.dumps(fields | {"caption": "\ud800?"}).encode()),
            ("2.png", image(2)),
            ("3.txt", b"of no image"),
            ("4.png", image(4)),
            ("4.txt", b"\xff\xfe"),
            ("5.txt", b"x" * 40_000),
            ("5.png", image(5)),
            ("5.json", b"[" * 9000),
            ("6.png", image(6)),
            ("6.json", b"[1]"),
        ],
    )
    found, left = listed(path)
    said = [(one.source_id, one.caption, one.label) for one in found]
    assert said[:3] == [("x1", "two words", "7"), ("x1", "\ufffd?", "3"), (None, None, None)]
    assert said[3:] == [(None, None, None)] * 3
    assert why(left) == {"not UTF-8, not JSON, or too long": 3, "stands beside no image": 1}


def test_a_name_that_comes_again_begins_another_sample(tmp_path):
    after = [("a.png", image(0)), ("a.txt", b"one"), ("a.png", image(1)), ("a.txt", b"two")]
    before = [("b.txt", b"one"), ("b.png", image(2)), ("b.txt", b"two"), ("b.png", image(3))]
    found, left = listed(pack(tmp_path / "s.tar", [*after, *before, ("a.png", image(4)), ("b.txt", b"!")]))
    assert [one.caption for one in found] == ["one", "two", "one", "two", None]
    assert why(left) == {"stands beside no image": 1}


def test_what_is_no_image_is_counted_with_the_reason(tmp_path):
    path = pack(
        tmp_path / "s.tar",
        [
            ("/etc/a.png", image(0)),
            ("x/../../a.png", image(0)),
            (special("link.png", tarfile.SYMTYPE, linkname="/etc/passwd"), b""),
            (special("hard.png", tarfile.LNKTYPE, linkname="ok.png"), b""),
            (special("pipe.png", tarfile.FIFOTYPE), b""),
            (special("device.png", tarfile.CHRTYPE), b""),
            (special("sparse.png", b"0", pax_headers={"GNU.sparse.major": "1"}), b"123"),
            ("a.heic", b"1"),
            ("notes.md", b"1"),
            ("without", image(1)),
            ("other", b"plain"),
            ("empty.png", b""),
            ("ok.png", image(2)),
        ],
    )
    found, left = listed(path)
    assert [one.member for one in found] == ["without", "empty.png", "ok.png"]
    assert [read(one).status for one in found] == ["ok", "empty", "ok"]
    counts = why(left)
    assert counts["its name is empty or leads out of the archive"] == 2
    assert counts["a link, whose target is measured where it is stored"] == 2
    assert counts["a device or a pipe"] == 2
    assert counts["stored with holes, which is not read"] == 1
    assert sum(counts.values()) == 10


def test_an_old_sparse_member_is_stepped_over(tmp_path):
    header = bytearray(special("holes.png", b"S").tobuf(tarfile.GNU_FORMAT))
    header[482], header[483:495] = 1, b"00000001000\0"
    header[124:136] = b"00000001000\0"
    header[148:156] = b"        "
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    more = bytes(512)
    rest = pack(tmp_path / "r.tar", [("a.png", image(0))]).read_bytes()
    (tmp_path / "s.tar").write_bytes(bytes(header) + more + b"\1" * 512 + rest)
    found, left = listed(tmp_path / "s.tar")
    assert [read(one).status for one in found] == ["ok"]
    assert why(left) == {"stored with holes, which is not read": 1}


def test_a_cut_archive_keeps_the_members_before_and_says_so(tmp_path):
    members = [(f"{at}.png", image(at)) for at in range(6)]
    whole = pack(tmp_path / "s.tar", members).read_bytes()
    ends = [one.offset + one.length for one in listed(tmp_path / "s.tar")[0]]
    for cut in random.Random(0).sample(range(1, ends[-1]), 20):
        (tmp_path / "cut.tar").write_bytes(whole[:cut])
        found, left = listed(tmp_path / "cut.tar")
        assert len(found) == sum(end <= cut for end in ends)
        assert all(read(one).status == "ok" for one in found)
        assert why(left) == {"damaged or cut off": 1}


def test_a_flipped_bit_never_ends_the_listing(tmp_path):
    data = pack(tmp_path / "s.tar", [(f"{at}.png", image(at)) for at in range(4)]).read_bytes()
    draw = random.Random(1)
    for _ in range(60):
        broken = bytearray(data)
        broken[draw.randrange(len(data) - 8192)] ^= 1 << draw.randrange(8)
        (tmp_path / "b.tar").write_bytes(broken)
        found, left = listed(tmp_path / "b.tar")
        lost = sum(one["count"] for one in left.content())
        assert len(found) == 4 or lost
        assert {read(one).status for one in found} <= {"ok", "damaged", "unsupported"}


def number(header, at, value):
    header[at : at + 12] = value
    header[148:156] = b"        "
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header)


@pytest.mark.parametrize(
    "size", [b"77777777777\0", b"\x80" + b"\xff" * 11, b"\xff" * 12], ids=["8G", "huge", "<0"]
)
@pytest.mark.parametrize("kind", [b"0", b"x", b"L", b"g"])
def test_a_size_that_cannot_be_ends_the_listing_at_once(tmp_path, size, kind):
    first = pack(tmp_path / "a.tar", [("a.png", image(0))]).read_bytes()
    first = first[: 512 + -(-len(image(0)) // 512) * 512]
    bomb = number(bytearray(special("b.png", kind).tobuf(tarfile.GNU_FORMAT)), 124, size)
    (tmp_path / "s.tar").write_bytes(first + bomb + bytes(2048))
    found, left = listed(tmp_path / "s.tar")
    assert [one.member for one in found] == ["a.png"]
    assert why(left) == {"damaged or cut off": 1}


def test_zeros_without_end_and_headers_without_member_take_no_time(tmp_path):
    with (tmp_path / "zeros.tar").open("wb") as file:
        file.truncate(2**40)
    assert not listed(tmp_path / "zeros.tar")[0]
    extended = special("x", b"x").tobuf(tarfile.PAX_FORMAT)
    (tmp_path / "x.tar").write_bytes(extended * 2000)
    assert why(listed(tmp_path / "x.tar")[1]) == {"damaged or cut off": 1}


def test_a_long_extended_header_costs_its_member_alone(tmp_path):
    big = special("big", b"x", size=2**21).tobuf(tarfile.PAX_FORMAT)
    with (tmp_path / "s.tar").open("wb") as file:
        file.write(big + b"2097152 comment=".ljust(2**21 - 1, b"a") + b"\n")
        file.write(pack(tmp_path / "r.tar", [("a.png", image(0)), ("b.png", image(1))]).read_bytes())
    found, left = listed(tmp_path / "s.tar")
    assert [one.member for one in found] == ["b.png"]
    assert sum(why(left).values()) == 1


@pytest.mark.parametrize(
    "content", [b"5 a\n", b"99 path=a\n", b"0 path=a\n", b"12 size=-9999\n", b"9 size=x\n", b"\xff" * 9]
)
def test_a_broken_extended_header_costs_its_member_at_most(tmp_path, content):
    info = special("x", b"x", size=len(content))
    body = info.tobuf(tarfile.PAX_FORMAT) + content.ljust(512, b"\0")
    rest = pack(tmp_path / "r.tar", [("a.png", image(0)), ("b.png", image(1))]).read_bytes()
    (tmp_path / "s.tar").write_bytes(body + rest)
    found, left = listed(tmp_path / "s.tar")
    assert sum(why(left).values()) == 1
    assert {one.member for one in found} <= {"b.png"}


def test_archives_joined_into_one_are_told(tmp_path):
    one = pack(tmp_path / "a.tar", [("a.png", image(0))]).read_bytes()
    (tmp_path / "s.tar").write_bytes(one + one)
    found, left = listed(tmp_path / "s.tar")
    assert len(found) == 1
    assert why(left) == {"damaged or cut off": 1}


def test_an_archive_written_again_gives_changed_rows(tmp_path):
    path = pack(tmp_path / "s.tar", [("a.png", image(0)), ("b.png", image(1))])
    first, second = list_sources([path])
    pack(path, [("a.png", image(0)), ("c.png", image(1))])
    assert [read(first).status, read(second).status] == ["ok", "changed"]
    with path.open("r+b") as file:
        file.truncate(first.offset + 5)
    assert [read(first).status, read(second).status] == ["changed", "changed"]
    path.unlink()
    assert read(first).status == "missing"


def test_compressed_archives_are_refused_with_the_remedy(tmp_path):
    path = tmp_path / "s.tar.gz"
    path.write_bytes(b"\x1f\x8b")
    with pytest.raises(PlanError, match=r"compressed archive.*unpack it"):
        list_sources([path])
    with pytest.raises(SourceError, match="compressed archive"):
        list_sources([tmp_path / "*.gz"])


def test_globs_numbers_and_folders_of_shards(tmp_path):
    for at in range(3):
        pack(tmp_path / f"shard-{at:03d}.tar", [(f"{at}.png", image(at))])
    (tmp_path / "readme.txt").write_text("x")
    wanted = ["0.png", "1.png", "2.png"]
    for source in ("shard-*.tar", "shard-{000..002}.tar", "", "**/*.tar"):
        found, _ = listed(os.path.join(tmp_path, source))
        assert [one.member for one in found] == wanted
    assert len({one.identity for one in found}) == 3
    with pytest.raises(PlanError, match=r"does not exist: '.*shard-003.tar'"):
        list_sources([str(tmp_path / "shard-{000..003}.tar")])
    for wrong in ("{9..1}", "{0..99999999}"):
        with pytest.raises(PlanError, match="runs upwards"):
            list_sources([str(tmp_path / f"shard-{wrong}.tar")])
    (tmp_path / "own.png").write_bytes(image(9))
    found, left = listed(tmp_path)
    assert [one.member for one in found] == ["own.png"]
    assert (
        why(left)["an archive or a table, which is read only as a source of its own, e.g. 'folder/*.tar'"]
        == 3
    )


def test_a_pipe_with_the_name_of_an_archive_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.tar")
    with pytest.raises(SourceError, match="not a regular file"):
        list_sources([tmp_path / "*.tar"])


def test_a_text_is_no_archive(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"hello" * 1000)
    with pytest.raises(SourceError, match="damaged or cut off"):
        list_sources([tmp_path / "a.tar"])
    with Path(tmp_path / "a.tar").open("rb") as file, pytest.raises(TarDamage, match="begins no header"):
        list(walk_tar(file))
