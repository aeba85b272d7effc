"""Runs of images at addresses: the same rows and the same values as from this machine's disk."""

import os
import shutil
import tarfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from obstore import put
from obstore.store import from_url

import embshift
from embshift.core import stores
from embshift.core.errors import PlanError, SourceError, UsageError
from embshift.core.progress import Silent
from embshift.core.remote import Access, faults, grant_access, grant_sources
from embshift.core.remote.faults import Patience
from embshift.core.types import FrozenRow
from embshift.images import LeftOut, Limits, decode, list_sources
from embshift.images.ahead import ReadAhead, group_rows
from embshift.measurement.session.parts import Part, measure_one_part
from embshift.measurement.session.trust import Trust
from embshift.measurement.studies.live.opening import open_served
from embshift.runs.listing import Listing
from embshift.runs.tables import open_tables
from tests.fault_server import busy, cut, serve_objects
from tests.hub_server import COMMIT, serve_hub
from tests.integration.command import invoke

OPTIONS = {"encoder": "lite", "transforms": ["blur", "noise"], "image_size": (32, 32), "batch": 6}


@pytest.fixture(scope="module")
def folder(photos, tmp_path_factory):
    """A folder with a folder inside, a name with a space, a broken image, and texts."""
    made = tmp_path_factory.mktemp("remote") / "photos"
    (made / "b").mkdir(parents=True)
    found = sorted(photos.glob("*.jpg"))[:5]
    for at, (path, name) in enumerate(zip(found, ("a", "b/x y", "b.z", "b/ä", "c"), strict=True)):
        shutil.copy(path, made / f"{name}.{'jpg' if at else 'JPG'}")
    shutil.copy(found[0], made / "same-again.jpg")
    (made / "no-suffix").write_bytes(found[1].read_bytes())
    (made / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    (made / "notes.txt").write_text("not an image")
    return made


@pytest.fixture(scope="module")
def bucket():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ALLOW_HTTP", "true")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        import boto3

        boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="images")
        stores._open.cache_clear()
        yield from_url("s3://images")
        stores._open.cache_clear()
    server.stop()


def fill(store, folder, below):
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            put(store, f"{below}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def pack(folder, file):
    with tarfile.open(file, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.add(path, path.relative_to(folder).as_posix())
    return file


def read(run, table):
    files = sorted((Path(run.folder) / table).glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def assert_same(run, other):
    """All values of two runs are the same bits; where their images come from may differ."""
    images = [{k: v for k, v in row.items() if k not in PLACE} for row in read(run, "images")]
    assert images == [{k: v for k, v in row.items() if k not in PLACE} for row in read(other, "images")]
    for table in ("embeddings", "shifts"):
        ours, theirs = read(run, table), read(other, table)
        assert len(ours) == len(theirs) > 0
        for one, two in zip(ours, theirs, strict=True):
            assert one.keys() == two.keys()
            for name in one:
                assert np.array_equal(one[name], two[name], equal_nan=_is_float(one[name])), (table, name)


def _is_float(value):
    return isinstance(value, float) or (isinstance(value, list) and value and isinstance(value[0], float))


PLACE = {"source", "path", "path_bytes", "error", "member"}


@pytest.fixture(scope="module")
def local(folder, tmp_path_factory):
    return embshift.measure(str(folder), out=tmp_path_factory.mktemp("local") / "run", workers=0, **OPTIONS)


def test_a_folder_in_a_store_gives_the_same_run(folder, bucket, local, tmp_path):
    fill(bucket, folder, "photos")
    run = embshift.measure("s3://images/photos", out=tmp_path / "run", workers=2, **OPTIONS)
    assert_same(run, local)
    assert [row["member"] for row in read(run, "images")] == [row["member"] for row in read(local, "images")]
    assert read(run, "images")[0]["path"] == "s3://images/photos/a.JPG"
    rows = list(Listing(Path(run.folder) / "listing.parquet"))
    assert all(row.size > 0 and row.record.etag for row in rows)
    assert embshift.measure("s3://images/photos", out=run.folder, **OPTIONS).info == run.info
    check_that_it_is_not_read_unasked(run)


def check_that_it_is_not_read_unasked(run):
    verdict = embshift.verify_run(run.folder)
    assert verdict.sound
    assert verdict.inputs == 0
    assert any("8 images on other machines not read" in note for note in verdict.notes)
    verdict = embshift.verify_run(run.folder, allow_remote=True)
    assert verdict.inputs == 8
    with pytest.raises(UsageError, match="--allow-remote"):
        run.explain(images=2)


def test_a_bucket_is_a_folder(folder, bucket):
    import boto3

    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    client.create_bucket(Bucket="whole")
    with grant_sources():
        with pytest.raises(PlanError, match="does not exist"):
            list_sources(["s3://whole"])
        client.put_object(Bucket="whole", Key="a.jpg", Body=(folder / "c.jpg").read_bytes())
        for source in ("s3://whole", "s3://whole/"):
            assert [one.member for one in list_sources([source])] == ["a.jpg"]


def test_a_scheme_may_be_written_in_capitals(folder, bucket):
    fill(bucket, folder, "capitals")
    with grant_sources():
        found = list_sources(["S3://images/capitals"])
        assert [one.path for one in found] == [one.path for one in list_sources(["s3://images/capitals"])]


def test_a_prepared_run_names_the_options_of_its_parts(folder, web, tmp_path):
    web.objects["/a.jpg"] = (folder / "c.jpg").read_bytes()
    (tmp_path / "list.csv").write_text(f"url\n{web.url}/a.jpg\n")
    options = ["--prepare", "--allow-private", "--encoder", "lite", "--transform", "blur:1"]
    for at, source in enumerate((f"{web.url}/a.jpg", str(tmp_path / "list.csv"), str(folder))):
        done = invoke("run", source, *options, "--out", str(tmp_path / f"run-{at}"))
        expected = " --part 0/1" if source == str(folder) else " --part 0/1 --allow-remote --allow-private"
        assert done.stdout.endswith(f"{expected}\n")


def test_a_glob_in_a_store_takes_what_matches(folder, bucket):
    fill(bucket, folder, "globs")
    with grant_sources():
        found = [
            one.member.removeprefix("s3://images/globs/") for one in list_sources(["s3://images/globs/b*"])
        ]
        deep = [
            one.member.removeprefix("s3://images/globs/")
            for one in list_sources(["s3://images/globs/**/*.jpg"])
        ]
        one = list_sources(["s3://images/globs/b/x y.jpg"])
        with pytest.raises(PlanError, match="does not exist"):
            list_sources(["s3://images/none"])
        with pytest.raises(SourceError, match="no image in"):
            list_sources(["s3://images/globs/*.txt"])
    assert found == ["b.z.jpg", "broken.png"]
    assert deep == ["b.z.jpg", "b/x y.jpg", "b/ä.jpg", "c.jpg", "same-again.jpg"]
    assert [record.member for record in one] == ["x y.jpg"]


def test_run_folders_in_a_store_are_left_out(folder, bucket, local):
    fill(bucket, folder, "mixed")
    for name in ("listing.parquet", "plan.toml", "views/row.png"):
        put(bucket, f"mixed/b/{name}", b"x")
    left = LeftOut()
    with grant_sources():
        found = list_sources(["s3://images/mixed"], left=left)
    assert not any("/b/" in str(record.path) for record in found)
    assert any("a run folder" in line for line in left.lines())


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setattr(faults, "PATIENCE", Patience(tries=3, first_wait=0.001, longest_wait=0.01))
    with serve_objects() as server:
        yield server


def test_an_archive_on_the_web_gives_the_same_run(folder, web, tmp_path):
    file = pack(folder, tmp_path / "shard-0.tar")
    web.objects["/shard-0.tar"] = file.read_bytes()
    before = embshift.measure(str(file), out=tmp_path / "local", workers=0, **OPTIONS)
    options = OPTIONS | {"allow_private": True, "workers": 0}
    web.faults.extend([busy(), cut(100)])
    run = embshift.measure(f"{web.url}/shard-{{0..0}}.tar", out=tmp_path / "run", **options)
    assert_same(run, before)
    web.objects["/shard-0.tar"] = pack(folder / "b", tmp_path / "other.tar").read_bytes()
    again = embshift.measure(f"{web.url}/shard-0.tar", out=tmp_path / "again", **options)
    assert again.info["counts"]["images"] == 2


@pytest.mark.parametrize("named", [True, False])
def test_members_are_read_by_few_ranges(folder, web, tmp_path, named):
    """Where the server names the archive's content, and where only each member's header tells changes."""
    with tarfile.open(tmp_path / "many.tar", "w") as archive:
        for at in range(64):
            archive.add(folder / "b.z.jpg", f"{at:03d}.jpg")
    web.objects["/many.tar"] = (tmp_path / "many.tar").read_bytes()
    web.etags |= {"/many.tar": '"one"'} if named else {}
    with grant_access(Access(remote=True, private=True)):
        records = list_sources([f"{web.url}/many.tar"])
        listing = len(web.asked)
        rows = [FrozenRow(record=record, sampled=False, chunk=0) for record in records]
        web.asked.clear()
        with closing(ReadAhead(most=2**20)) as ahead:
            for group in group_rows(rows, most=32):
                ahead.start(row.record for row in group)
                for row in group:
                    ahead.prepare(row.record)
                    assert ahead.read(row.record, most=2**20) == (folder / "b.z.jpg").read_bytes()
        assert listing <= 12
        assert len(web.asked) == 2
        spoilt = bytearray(web.objects["/many.tar"])
        spoilt[records[1].offset - 500] ^= 1
        web.objects["/many.tar"], web.etags["/many.tar"] = bytes(spoilt), '"two"'
        with closing(ReadAhead(most=2**20)) as ahead:
            ahead.start(records[:3])
            found = [decode(record, limits=Limits(), read=ahead.read).status for record in records[:3]]
    assert found == (["changed"] * 3 if named else ["ok", "changed", "ok"])


def test_what_changed_or_vanished_since_it_was_listed_is_a_status(folder, web, tmp_path):
    data = (folder / "c.jpg").read_bytes()
    paths = ["/kept.jpg", "/changed.jpg", "/gone.jpg", "/busy.jpg"]
    web.objects |= dict.fromkeys(paths, data)
    web.etags |= dict.fromkeys(paths, '"first"')
    with grant_access(Access(remote=True, private=True)):
        records = list_sources([f"{web.url}{path}" for path in paths])
        web.etags["/changed.jpg"] = '"second"'
        del web.objects["/gone.jpg"]
        found = [decode(record, limits=Limits()).status for record in records[:3]]
        web.faults.extend([busy()] * 3)
        lost = decode(records[3], limits=Limits())
    assert found == ["ok", "changed", "missing"]
    assert (lost.status, "asked 3 times: status 503" in lost.error) == ("unreadable", True)


def test_private_addresses_need_to_be_allowed(folder, web, tmp_path):
    web.objects["/c.jpg"] = (folder / "c.jpg").read_bytes()
    with pytest.raises(PlanError, match="--allow-private"):
        embshift.measure(f"{web.url}/c.jpg", out=tmp_path / "run", **OPTIONS)
    assert not web.asked
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ["https://h/a.jpg?X-Amz-Signature=hidden", "https://u:hidden@h/a.jpg"])
def test_secrets_are_never_written(address, tmp_path):
    with pytest.raises(UsageError) as caught:
        embshift.measure(address, out=tmp_path / "run", **OPTIONS)
    assert "hidden" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_data_set_of_the_hub_is_pinned_to_its_commit(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    files = {f"train/{path.name}": path.read_bytes() for path in folder.glob("*.jpg")}
    with serve_hub(files) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        run = embshift.measure("hf://datasets/o/n/train", out=tmp_path / "run", workers=0, **OPTIONS)
    paths = [row["path"] for row in read(run, "images")]
    assert paths == [f"hf://datasets/o/n@{COMMIT}/{name}" for name in sorted(files)]
    assert {row["status"] for row in read(run, "images")} == {"ok"}


def test_a_strangers_run_fetches_nothing(folder, web, tmp_path):
    """Neither the plan nor the listing of a run that someone else wrote leads to a request."""
    web.objects |= {f"/{name}.jpg": (folder / "c.jpg").read_bytes() for name in "ab"}
    options = OPTIONS | {"allow_private": True, "workers": 0}
    source = [f"{web.url}/a.jpg", f"{web.url}/b.jpg"]
    theirs = embshift.measure(source, out=tmp_path / "theirs", **options).folder
    web.asked.clear()
    plan, new = str(theirs / "plan.toml"), str(tmp_path / "new")
    assert embshift.verify_run(theirs).inputs == 0
    with pytest.raises(UsageError, match="allow_remote=True"):
        embshift.open_run(theirs).explain(images=2)
    with pytest.raises(UsageError, match="allow_remote=True"):
        embshift.measure(folder, plan=plan, out=new)
    with pytest.raises(UsageError, match="allow_remote=True"):
        embshift.write_views(folder, plan=plan, out=tmp_path / "views.parquet")
    with pytest.raises(UsageError, match="--allow-remote"):
        measure_one_part(theirs, Part(number=0, count=1), options={}, trust=Trust(), reporter=Silent())
    served = open_served(open_tables(theirs), title="theirs", trust=Trust())
    assert "--allow-remote" in served.why
    assert not web.asked
    assert open_served(open_tables(theirs), title="theirs", trust=Trust(remote=True)).why == ""


LISTS = {
    "/l/list.txt": "b/c.jpg\nhttp://127.0.0.1:{port}/a.jpg\n",
    "/l/list.csv": "url,caption\nb/c.jpg,a cat\nhttp://127.0.0.1:{port}/a.jpg,a dog\n",
    "/l/list.jsonl": '{{"url": "b/c.jpg", "id": 7}}\n{{"url": "http://127.0.0.1:{port}/none.jpg"}}\n',
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_may_be_at_addresses_and_hold_some(folder, web, name, tmp_path):
    text = LISTS[name].format(port=web.server_port)
    web.objects |= {f"/{at}": (folder / "c.jpg").read_bytes() for at in ("a.jpg", "l/b/c.jpg")}
    web.objects[name] = text.encode()
    with grant_access(Access(remote=True, private=True)):
        found = list_sources([f"{web.url}{name}"])
        assert {record.path for record in found} == {f"{web.url}/l/b/c.jpg", found[-1].path} | {
            record.path for record in found[:1]
        }
        assert len(found) == 2
        assert len(web.asked) == 2, "the images are not asked for before they are read"
        statuses = {decode(record, limits=Limits()).status for record in found}
    assert statuses == ({"ok", "missing"} if "jsonl" in name else {"ok"})
    here = tmp_path / Path(name).name
    here.write_text(text.replace("b/c.jpg", str(folder / "c.jpg")))
    with grant_access(Access(remote=True, private=True)):
        paths = {record.path for record in list_sources([str(here)])}
    assert str(folder / "c.jpg") in paths
    assert len(paths) == 2


@pytest.mark.parametrize("line", ["/etc/hosts", "../up.jpg", "file:///etc/hosts", "~/a.jpg", "file:a.jpg"])
def test_a_list_from_elsewhere_names_no_file_of_this_machine(web, line):
    web.objects["/list.txt"] = f"{line}\n".encode()
    with grant_access(Access(remote=True, private=True)), pytest.raises(PlanError, match="another machine"):
        list_sources([f"{web.url}/list.txt"])


def test_lists_hold_no_secrets_and_pinned_addresses(tmp_path):
    for line in ("https://h/a.jpg?token=hidden", "https://u:hidden@h/a.jpg", "hf://datasets/o/n/a.jpg"):
        (tmp_path / "list.txt").write_text(f"{line}\n")
        with grant_sources(), pytest.raises(UsageError) as caught:
            list_sources([str(tmp_path / "list.txt")])
        assert "hidden" not in str(caught.value)
    (tmp_path / "list.txt").write_text("https://h/a b.jpg?w=1\nhttps://h x/\n")
    with grant_sources():
        assert len(list_sources([str(tmp_path / "list.txt")])) == 2


@pytest.fixture(scope="module")
def table(folder, tmp_path_factory):
    """A data set as the library datasets writes it, in three row groups."""
    images = [path.read_bytes() for path in sorted(folder.glob("**/*.jpg"))] * 2
    rows = [
        {"image": {"bytes": one, "path": None}, "caption": f"number {at}"} for at, one in enumerate(images)
    ]
    file = tmp_path_factory.mktemp("table") / "train.parquet"
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=4)
    return file


def test_a_table_in_a_store_gives_the_same_run(table, bucket, tmp_path):
    put(bucket, "tables/train.parquet", table.read_bytes())
    before = embshift.measure(str(table), out=tmp_path / "local", workers=0, **OPTIONS)
    run = embshift.measure("s3://images/tables", out=tmp_path / "run", workers=0, **OPTIONS)
    assert_same(run, before)
    assert [row["caption"] for row in read(run, "images")] == [f"number {at}" for at in range(10)]


def test_a_table_on_the_web_is_read_by_ranges(table, web):
    web.objects["/train.parquet"] = table.read_bytes()
    web.etags["/train.parquet"] = '"one"'
    with grant_access(Access(remote=True, private=True)):
        records = list_sources([f"{web.url}/train.parquet"])
        listing = len(web.asked)
        found = [decode(record, limits=Limits()) for record in records]
        assert {one.status for one in found} == {"ok"}
        here = [decode(record, limits=Limits()).sha256 for record in list_sources([str(table)])]
        assert [one.sha256 for one in found] == here
        assert listing <= 10
        assert len(web.asked) - listing <= 9  # of each row group, the header of a page first
        assert all(one[2] for one in web.asked[1:]), "never whole"
        web.etags["/train.parquet"] = '"two"'
        later = [decode(record, limits=Limits()) for record in records]
        again = list_sources([f"{web.url}/train.parquet"])
        assert decode(again[0], limits=Limits()).status == "ok"
        assert decode(records[0], limits=Limits()).status == "changed"
    assert "changed" in [one.status for one in later]
    assert all(one.sha256 in (None, sha) for one, sha in zip(later, here, strict=True)), "never the other's"


@pytest.mark.parametrize("content", [b"", b"PAR1xxxxPAR1"])
def test_a_damaged_table_is_told(content, bucket, web):
    put(bucket, "damaged/train.parquet", content)
    web.objects["/damaged.parquet"] = content
    with grant_access(Access(remote=True, private=True)):
        for address in ("s3://images/damaged", f"{web.url}/damaged.parquet"):
            with pytest.raises(SourceError, match="1 table left out: cannot be read"):
                list_sources([address])


def test_marks_of_folders_are_no_images(folder, bucket):
    import boto3

    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    for key in ("marked/", "marked/sub.jpg/"):  # as a console writes them; obstore cannot
        client.put_object(Bucket="images", Key=key, Body=b"")
    put(bucket, "marked/sub.jpg/a.jpg", (folder / "c.jpg").read_bytes())
    left = LeftOut()
    with grant_sources():
        assert [one.member for one in list_sources(["s3://images/marked"], left=left)] == ["sub.jpg/a.jpg"]
    assert not list(left.lines())


def test_a_table_of_addresses_is_a_list(web, tmp_path):
    urls = [f"{web.url}/{name}.jpg" for name in "ba"]
    pq.write_table(pa.table({"url": urls, "caption": ["one", "two"]}), tmp_path / "list.parquet")
    with grant_access(Access(remote=True, private=True)):
        here = list_sources([str(tmp_path / "list.parquet")])
        web.objects["/list.parquet"] = (tmp_path / "list.parquet").read_bytes()
        there = list_sources([f"{web.url}/list.parquet"])
    assert [record.path for record in here] == [record.path for record in there] == urls
    assert [record.caption for record in there] == ["one", "two"]
