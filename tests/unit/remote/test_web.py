"""Reading from web servers: faults that pass, answers that are refused, and addresses that are private."""

import socket

import pytest

from embshift.core.errors import ImageError, UsageError
from embshift.core.remote import (
    Access,
    RangeFile,
    check_listed_address,
    check_remote_address,
    faults,
    grant_access,
    list_addresses,
    read_address,
    stat_address,
)
from embshift.core.remote.faults import Patience
from embshift.core.remote.guard import is_public
from embshift.core.remote.http_client import _idle
from tests.fault_server import busy, cut, reset, serve_objects, slow, wrong_range

DATA = bytes(range(256)) * 8


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(faults, "PATIENCE", Patience(tries=3, first_wait=0.001, longest_wait=2.0, answer=5.0))


@pytest.fixture
def server():
    with serve_objects({"/a.bin": DATA}) as running, grant_access(Access(remote=True, private=True)):
        yield running
    _idle.clear()


def refused(url, status, **options):
    with pytest.raises(ImageError) as caught:
        read_address(url, **options)
    assert caught.value.status == status
    return str(caught.value)


def test_nothing_is_read_unasked(server):
    with grant_access(Access()):
        for ask in (read_address, stat_address, list_addresses):
            with pytest.raises(UsageError, match="--allow-remote"):
                ask(f"{server.url}/a.bin")
            with pytest.raises(UsageError, match="--allow-remote"):
                ask("s3://bucket/key")
    assert not server.asked


def test_ranges_are_read_and_connections_used_again(server):
    url = f"{server.url}/a.bin"
    assert read_address(url) == DATA
    assert read_address(url, offset=10, length=5) == DATA[10:15]
    assert read_address(url, offset=2000) == DATA[2000:]
    assert [asked[2] for asked in server.asked] == [None, "bytes=10-14", "bytes=2000-"]
    assert len(_idle._held) == 1


def test_what_a_server_says_of_an_object(server):
    server.etags["/a.bin"] = '"one"'
    found = stat_address(f"{server.url}/a.bin")
    assert (found.size, found.etag) == (len(DATA), '"one"')
    assert stat_address(f"{server.url}/none") is None
    assert "does not exist" in refused(f"{server.url}/none", "missing")


@pytest.mark.parametrize("fault", [busy(), busy(429, Retry_After="1"), busy(500), cut(100), reset])
def test_a_fault_that_passes_is_tried_again(server, fault):
    server.faults.extend([fault, fault] if fault.__name__ == "reset" else [fault])
    assert read_address(f"{server.url}/a.bin", offset=1, length=1000) == DATA[1:1001]
    assert not server.faults


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(busy(), "asked 3 times: status 503"), (cut(7), "cut off after 7 of 2,048"), (reset, "no answer")],
)
def test_a_fault_that_stays_is_no_missing_image(server, fault, reason):
    server.faults.extend([fault] * 9)
    assert reason in refused(f"{server.url}/a.bin", "unreadable")


def test_a_server_that_asks_for_too_long_a_wait_is_given_up(server):
    server.faults.append(busy(Retry_After="3600"))
    assert "it asks to wait 3,600 s" in refused(f"{server.url}/a.bin", "unreadable")


def test_a_server_that_sends_a_byte_at_a_time_is_given_up(server, monkeypatch):
    monkeypatch.setattr(faults, "PATIENCE", Patience(tries=1, answer=0.2))
    monkeypatch.setattr("embshift.core.remote.http_client.PATIENCE", Patience(answer=0.2))
    server.faults.append(slow)
    assert "no whole answer in 0.2 s" in refused(f"{server.url}/a.bin", "unreadable")


def test_an_object_that_changed_is_told(server):
    server.etags["/a.bin"] = '"two"'
    assert 'it was "one" and is now "two"' in refused(f"{server.url}/a.bin", "changed", etag='"one"')
    refused(f"{server.url}/a.bin", "changed", offset=2000, length=100)
    refused(f"{server.url}/a.bin", "changed", offset=3000, length=100)
    server.faults.append(busy(412))
    refused(f"{server.url}/a.bin", "changed")


def test_too_much_is_refused_before_it_is_read(server):
    assert "has 2,048 bytes; at most 100 are read" in refused(f"{server.url}/a.bin", "too_large", most=100)
    server.ranges = False
    assert "at most 100" in refused(f"{server.url}/a.bin", "too_large", offset=1, most=100)


def test_a_server_without_ranges_sends_all_and_the_part_is_taken(server):
    server.ranges = False
    assert read_address(f"{server.url}/a.bin", offset=10, length=5, most=5) == DATA[10:15]
    refused(f"{server.url}/a.bin", "changed", offset=2040, length=100)


@pytest.mark.parametrize("text", ["bytes 0-4/2048", "bytes 10-13/2048", "pages 10-14/9", ""])
def test_another_range_is_refused(server, text):
    server.faults.append(wrong_range(text or " "))
    assert "that is refused" in refused(f"{server.url}/a.bin", "unreadable", offset=10, length=5)


def test_access_that_is_denied_is_told(server):
    server.faults.append(busy(403))
    assert "status 403 (no access)" in refused(f"{server.url}/a.bin", "unreadable")


def test_redirects_are_followed_so_far(server):
    server.redirects |= {f"/{at}": f"/{at + 1}" for at in range(6)} | {"/5": "/a.bin"}
    assert read_address(f"{server.url}/1", offset=3, length=4) == DATA[3:7]
    assert "more than 5 times" in refused(f"{server.url}/0", "unreadable")
    server.redirects["/away"] = "ftp://127.0.0.1/a"
    refused(f"{server.url}/away", "unreadable")


def test_secrets_stay_with_their_own_server(server):
    from embshift.core.remote.web import read_web

    with serve_objects({"/there": DATA}) as other:
        server.redirects["/here"] = f"{other.url}/there"
        access, secret = Access(remote=True, private=True), {"Authorization": "Bearer s"}
        asked = {"start": 0, "length": None, "etag": "", "most": 9999, "access": access, "secrets": secret}
        assert read_web(f"{server.url}/here", **asked) == DATA
        assert server.headers[0]["Authorization"] == "Bearer s"
        assert "Authorization" not in other.headers[0]
    _idle.clear()


PRIVATE = (
    "127.0.0.1 0.0.0.0 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 224.0.0.1 255.255.255.255"
)
PRIVATE6 = "::1 :: fe80::1 fe80::1%eth0 fd00::1 fec0::1 ff02::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8"


def test_private_network_addresses_are_told_from_public_ones():
    for text in (PRIVATE + " " + PRIVATE6.removesuffix(" ::ffff:8.8.8.8")).split():
        assert not is_public(text), text
    for text in ("64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "64:ff9b:1::1", "2001:db8::1"):
        assert not is_public(text), text
    for text in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"):
        assert is_public(text), text


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::ffff:127.0.0.1]", "0"]
)
def test_private_places_are_refused_unless_allowed(server, host):
    with grant_access(Access(remote=True)):
        told = refused(f"http://{host}:{server.server_port}/a.bin", "unreadable")
    assert "--allow-private" in told
    assert not server.asked


def test_a_name_is_looked_up_once_and_never_after_the_check(server, monkeypatch):
    asked = []

    def look_up(host, port, **_):
        asked.append(host)
        place = ("93.184.216.34" if len(asked) == 1 else "127.0.0.1", port)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place)]

    connected = []
    monkeypatch.setattr("socket.getaddrinfo", look_up)
    monkeypatch.setattr("socket.socket.connect", lambda _, place: connected.append(place) or _refuse())
    with grant_access(Access(remote=True)):
        told = refused("http://rebind.example/a.bin", "unreadable")
    assert connected == [("93.184.216.34", 80)], "the answer that was checked"
    assert "--allow-private" in told, "the second look-up leads to this machine"


def _refuse():
    raise ConnectionRefusedError


def test_a_redirect_to_a_private_place_is_refused(server, monkeypatch):
    """The first server counts as public here; the metadata service that it leads to does not."""
    server.redirects["/a"] = "http://169.254.169.254/latest/meta-data"
    real = is_public
    monkeypatch.setattr("embshift.core.remote.guard.is_public", lambda ip: ip == "127.0.0.1" or real(ip))
    with grant_access(Access(remote=True)):
        assert "169.254.169.254 is in a private network" in refused(f"{server.url}/a", "unreadable")


def test_a_redirect_from_https_to_http_is_refused():
    from embshift.core.remote.http_client import _follow

    with pytest.raises(ImageError, match="from https to http"):
        _follow("https://host/a", "http://host/a")
    assert _follow("https://host/a", "/b#c") == "https://host/b"


@pytest.mark.parametrize(
    "address",
    [
        "https://user:hidden@host/a.jpg",
        "https://hidden@host/a.jpg",
        "https://host/a.jpg?X-Amz-Signature=hidden",
        "https://host/a.jpg?w=1&sig=hidden",
        "https://host/a.jpg?access_token=hidden",
        "https://host/a.jpg?apiKey=hidden",
        "https://host/a.jpg?%73ig=hidden",
        "https://host/a.jpg?accesstoken=hidden",
        "https://host/a.jpg?AUTHTOKEN=hidden",
        "https://host/a.jpg?w=1?sig=hidden",
        "https://host/a.jpg?JSESSIONID=hidden",
        "s3://bucket/a.jpg?X-Amz-Signature=hidden",
        "s3://key:hidden@bucket/a.jpg",
        "hf://hidden@datasets/a/b",
        "https://host/a.jpg#hidden",
        "https://host/a b.jpg",
        "https:///a.jpg",
    ],
)
def test_addresses_with_secrets_are_refused_and_not_repeated(address):
    with pytest.raises(UsageError) as caught:
        check_remote_address(address)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "rest", ["#sig=hidden", "?w=1#access_token=hidden", "?sig=hidden", "?apitoken=hidden"]
)
def test_lists_name_no_addresses_with_secrets(rest):
    with pytest.raises(
        UsageError, match=r"signature or key in the field '(sig|access_token|apitoken)'"
    ) as caught:
        check_listed_address(f"https://host/a.jpg{rest}")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["https://host/a.jpg?w=200&h=100", "https://host/a.jpg?design=1", "s3://b/a", "s3://b/a#key.jpg"],
)
def test_other_queries_are_kept(address):
    check_remote_address(address)


def test_web_servers_list_nothing(server):
    with pytest.raises(UsageError, match="web servers have no folders"):
        list_addresses(f"{server.url}/")


def test_a_range_file_reads_small_things_along_and_leaves_large_ones_out(server):
    data = bytes(range(256)) * 4096  # 1 MiB
    server.objects["/tar"] = data
    file = RangeFile(f"{server.url}/tar", size=len(data))
    assert b"".join(iter(lambda: file.read(1000), b"")) == data
    assert file.ranges <= 6
    file = RangeFile(f"{server.url}/tar", size=len(data))
    for at in range(0, len(data), 2**18):
        file.seek(at)
        assert file.read(512) == data[at : at + 512]
    assert file.ranges == 4
    assert sum(int(r.split("-")[1]) - int(r[6:].split("-")[0]) + 1 for _, _, r in server.asked[-4:]) < 2**18
    file.seek(-3, 2)
    assert (file.read(), file.read(), file.tell()) == (data[-3:], b"", len(data))
    del server.objects["/tar"]
    with pytest.raises(OSError, match="does not exist"):
        RangeFile(f"{server.url}/tar", size=len(data)).read(1)
