"""Runs in a store that is reached over HTTP: a server on this machine speaks S3's protocol, with faults."""

import http.server
import os
import socket
import tarfile
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from embshift.core import stores
from embshift.core.errors import StoreError
from embshift.runs import addresses
from embshift.runs.remote import putting
from embshift.runs.remote.putting import OtherBytesError, put_object
from tests.faults.sessions import contents, measure, quickly, write_pictures
from tests.integration.command import call, invoke

RUN = "s3://bucket/runs/a"
SECRET = "s3cr3t-key-of-a-test"


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes requests on, but for the faults that are waiting for a PUT."""

    protocol_version = "HTTP/1.1"
    target, faults, seen = "", [], []

    def log_message(self, *given): ...

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.faults.pop(0) if self.faults and self.command == "PUT" else None
        self.seen.append(self.command)
        if isinstance(fault, int):
            return self.reply(fault, {}, b"<Error><Code>SlowDown</Code></Error>")
        status, headers, data = self.ask(body)
        if fault == "lost":  # carried out, and nobody hears of it
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        return self.reply(status, headers, data)

    def ask(self, body):
        headers = {name: value for name, value in self.headers.items() if name.lower() not in LOCAL}
        headers["Content-Type"] = "application/octet-stream"
        data = body if self.command in ("PUT", "POST") else None
        request = urllib.request.Request(self.target + self.path, data, headers, method=self.command)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def reply(self, status, headers, data):
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in LOCAL:
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = pass_on


LOCAL = {"host", "content-length", "connection", "transfer-encoding", "server", "date"}


@pytest.fixture(scope="module")
def proxy():
    """A server that speaks S3's protocol, behind another that fails as it is told."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    Proxy.target = "http://{}:{}".format(*server.get_host_and_port())
    front = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=front.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{front.server_port}"
    front.shutdown()
    front.server_close()
    server.stop()


@pytest.fixture
def store(proxy, tmp_path, monkeypatch):
    settings = {"ENDPOINT_URL": proxy, "ALLOW_HTTP": "true", "DEFAULT_REGION": "us-east-1"}
    settings |= {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": SECRET}
    for name, value in settings.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("EMBSHIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(addresses, "_MIRRORS", {})
    monkeypatch.setattr(putting, "_PAUSES", (0, 0, 0))
    for path in ("/moto-api/reset", "/bucket"):
        method = "POST" if "reset" in path else "PUT"
        urllib.request.urlopen(urllib.request.Request(Proxy.target + path, method=method)).close()
    stores._open.cache_clear()
    Proxy.faults.clear()
    Proxy.seen.clear()
    yield
    stores._open.cache_clear()


@contextmanager
def faults(*given):
    Proxy.faults[:] = given
    yield
    assert Proxy.faults == []


@pytest.mark.parametrize("given", [[503], [500], [409], ["lost"], [409, 409, 409], ["lost", 503]])
def test_an_object_is_written_through_faults(store, given):
    with faults(*given):
        etag = put_object(f"{RUN}/a", b"1")
    with faults(*given):
        put_object(f"{RUN}/a", b"2", before=etag)
    with pytest.raises(OtherBytesError):
        put_object(f"{RUN}/a", b"3", before=etag)
    assert stores.read_object(f"{RUN}/a") == b"2"


def test_a_bucket_that_is_missing_is_named(store, tmp_path):
    write_pictures(tmp_path / "in", count=1)
    for command in (
        ("summarise", "s3://none/a"),
        ("run", str(tmp_path / "in"), "--encoder", "lite", "--out", "s3://none/a"),
    ):
        done = invoke(*command)
        assert done.returncode == StoreError.exit_code
        assert "there is no s3://none; create it" in done.stderr
        assert SECRET not in done.stderr


def test_parts_over_http_have_the_bytes_of_one_in_a_folder(store, tmp_path):
    write_pictures(tmp_path / "in")
    with quickly():
        measure(tmp_path / "in", tmp_path / "run")
        command = (
            "run",
            str(tmp_path / "in"),
            "--encoder",
            "lite",
            "--image-size",
            "16",
            "--transform",
            "blur",
        )
        command += (
            "--transform",
            "noise",
            "--metric-sample",
            "7",
            "--batch",
            "4",
            "--workers",
            "0",
            "--quiet",
        )
        with faults(503, "lost", 409):
            assert invoke(*command, "--out", RUN, "--prepare").returncode == 0
        for part in ("0/2", "1/2"):
            addresses._MIRRORS.clear()
            with faults("lost", 503, "lost", "lost", 503):
                assert invoke("work", RUN, "--part", part, "--workers", "0").returncode == 0
        addresses._MIRRORS.clear()
        assert invoke("finish", RUN).returncode == 0
    found = check_same(tmp_path)
    assert not any(SECRET.encode() in data for data in found.values())


@pytest.fixture
def elsewhere(store, tmp_path):
    """Images in a store and in a tar file there, and the options of their run; its bytes in a folder."""
    write_pictures(tmp_path / "in", count=4)
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        tar.add(tmp_path / "in", arcname=".")
    for file in sorted((tmp_path / "in").iterdir()):
        stores.create_object(f"s3://bucket/in/{file.name}", file.read_bytes())
    stores.create_object("s3://bucket/shard.tar", (tmp_path / "shard.tar").read_bytes())
    sources = ("s3://bucket/in", str(tmp_path / "shard.tar"), "s3://bucket/shard.tar")
    options = ("--encoder", "lite", "--image-size", "16", "--transform", "blur", "--chunk", "3")
    command = ("run", *sources, *options, "--threads", "1", "--quiet")
    done = invoke(*command, "--workers", "0", "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    return command


def check_same(tmp_path):
    """Check that the store holds the run of the folder, byte for byte but for the times, and no lease."""
    found = {one.address: stores.read_object(one.address) for one in stores.list_objects(RUN)}
    wanted = {f"{RUN}/{name}": data for name, data in contents(tmp_path / "run").items()}
    assert set(found) == set(wanted)
    assert [name for name in found if found[name] != wanted[name]] == [f"{RUN}/run.json"]
    return found


def test_parts_read_images_in_a_store_and_in_archives(elsewhere, tmp_path):
    assert invoke(*elsewhere, "--workers", "0", "--out", RUN, "--prepare").returncode == 0
    for part in ("0/2", "1/2"):
        addresses._MIRRORS.clear()
        refused = invoke("work", RUN, "--part", part, "--workers", "0")
        assert refused.returncode == 2
        assert "--allow-remote" in refused.stderr
        done = invoke("work", RUN, "--part", part, "--workers", "0", "--allow-remote")
        assert done.returncode == 0, done.stderr
    addresses._MIRRORS.clear()
    done = invoke("finish", RUN, "--allow-remote")
    assert done.returncode == 0, done.stderr
    check_same(tmp_path)


@pytest.mark.slow
def test_actors_of_ray_read_and_write_stores(elsewhere, tmp_path):
    done = call(*elsewhere, "--engine", "ray", "--actors", "2", "--workers", "0", "--out", RUN)
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    check_same(tmp_path)


@pytest.mark.slow
def test_the_command_in_a_process_of_its_own(store, tmp_path):
    write_pictures(tmp_path / "in", count=4)
    usual = ("--encoder", "lite", "--transform", "blur", "--workers", "0", "--quiet", "--out", RUN)
    done = call("run", str(tmp_path / "in"), *usual)
    assert done.returncode == 0, done.stderr
    assert f"run folder: {RUN}" in done.stdout
    shown = call("summarise", RUN)
    assert shown.returncode == 0
    assert "blur" in shown.stdout
    assert SECRET not in done.stdout + done.stderr + shown.stdout + shown.stderr
    assert os.environ["EMBSHIFT_CACHE"] == str(tmp_path / "cache")
