"""A service that misbehaves, settings that are wrong, and a key that must not be seen."""

import base64
import json
import shutil
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote

import numpy as np
import pytest
import torch

from embshift.core.errors import EncoderError, PlanError, ShiftError, UnknownNameError
from embshift.core.services import check_address
from embshift.core.types import Capture
from embshift.encoders.open import open_encoder
from embshift.encoders.service.answers import WrongAnswerError, read_embeddings
from embshift.encoders.service.keys import Key
from embshift.encoders.service.settings import read_settings
from embshift.measurement.plan.plan import make_plan
from tests import embedding_service as faults
from tests.embedding_service import embed, refuse, say, serve

SECRET = 'sk-4f+9a/0b7c"6e1d=2'
VIEWS = np.random.default_rng(5).integers(0, 256, (6, 24, 40, 3), dtype=np.uint8)


@pytest.fixture
def service():
    with serve() as running:
        yield running


@pytest.fixture
def write_settings(tmp_path, service):
    """Return what writes a file of settings and returns its path."""

    def write(text="", **settings):
        lines = {"url": service.url, "first_wait": 0.001, "batch": 2, "retries": 3, "timeout": 5} | settings
        body = "\n".join(f"{name} = {json.dumps(value)}" for name, value in lines.items())
        path = tmp_path / "service.toml"
        path.write_text(f"[service]\n{body}\n{text}")
        return str(path)

    return write


def encode(encoder):
    return encoder.encode(VIEWS, capture=Capture.EMBEDDING).embedding


def expected():
    return torch.tensor([embed(one) for one in VIEWS], dtype=torch.float32)


# A service that misbehaves for a while ---------------------------------------------------------------------

PASSING = {
    "busy": refuse(503),
    "too many requests": refuse(429, Retry_After="0"),
    "a date in the past": refuse(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
    "a wait that is none": refuse(503, Retry_After="soon"),
    "failed": refuse(500, b"<html>oops</html>"),
    "bad gateway": refuse(502),
    "cut off": faults.cut_off,
    "cut off in silence": faults.cut_quietly,
    "hangs up": faults.hang_up,
    "one too few": faults.lose_one,
    "no JSON": say(b"<html>welcome</html>"),
    "empty": say(b""),
    "nested too deeply": say(b"[" * 200_000),
    "null": say(b'{"data": [{"embedding": [null]}, {"embedding": [1]}]}'),
    "strings": say(b'{"data": [{"embedding": ["1"]}, {"embedding": ["2"]}]}'),
    "lengths that differ": say(b'{"data": [{"embedding": [1]}, {"embedding": [1, 2]}]}'),
    "an index twice": say(b'{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [2]}]}'),
    "an index that is true": say(
        b'{"data": [{"index": 0, "embedding": [1]}, {"index": true, "embedding": [2]}]}'
    ),
    "a number too large": say(b'{"data": [{"embedding": [1' + b"0" * 400 + b']}, {"embedding": [1]}]}'),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_tried_again(service, write_settings, name):
    encoder = open_encoder(write_settings(), device="cpu")
    service.faults.extend([PASSING[name]] * 2)
    service.requests.clear()
    assert torch.equal(encode(encoder), expected())
    assert len(service.requests) == 3 + 2


def test_answers_in_another_order_are_put_in_order(service, write_settings):
    encoder = open_encoder(write_settings(batch=6), device="cpu")
    service.faults.append(faults.shuffle)
    assert torch.equal(encode(encoder), expected())
    assert not service.faults


def test_a_wait_that_is_asked_for_is_kept(service, write_settings):
    encoder = open_encoder(write_settings(batch=6), device="cpu")
    service.faults.append(refuse(429, Retry_After="1"))
    started = time.monotonic()
    encode(encoder)
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("dated", [False, True])
def test_a_wait_that_is_too_long_ends_it(service, write_settings, dated):
    wait = format_datetime(datetime.now(UTC) + timedelta(hours=1)) if dated else "3600"
    encoder = open_encoder(write_settings(longest_wait=5), device="cpu")
    service.always = refuse(503, Retry_After=wait)
    with pytest.raises(EncoderError, match=r"asks to wait 3,[56].. s, longer than longest_wait"):
        encode(encoder)


# A service that misbehaves for good ------------------------------------------------------------------------


def test_what_lasts_is_an_error_with_status_and_counts(service, write_settings):
    encoder = open_encoder(write_settings(), device="cpu")
    service.always = refuse(500, b"out of \x1b[31mluck")
    with pytest.raises(
        EncoderError, match=r"asked 4 times for the embeddings of 2 images, failed: status 500"
    ) as found:
        encode(encoder)
    assert "\x1b" not in str(found.value)
    assert found.value.exit_code == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
def test_what_no_repeat_can_change_is_not_repeated(service, write_settings, status):
    encoder = open_encoder(write_settings(batch=6), device="cpu")
    service.requests.clear()
    service.always = refuse(status)
    with pytest.raises(EncoderError, match=f"asked once .* status {status} .*"):
        encode(encoder)
    assert len(service.requests) == 1


def test_a_slow_answer_is_given_up(service, write_settings):
    encoder = open_encoder(write_settings(timeout=0.2, retries=0), device="cpu")

    def drip(handler, _):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(20):  # a byte at a time: never silent, and never done
            handler.wfile.write(b" ")
            time.sleep(0.05)

    service.always = drip
    with pytest.raises(EncoderError, match=r"no whole answer in 0\.2 s"):
        encode(encoder)


def test_an_answer_without_end_is_given_up(service, write_settings):
    encoder = open_encoder(write_settings(batch=6), device="cpu")
    service.always = say(b" " * (17 * 2**20))
    with pytest.raises(EncoderError, match="an answer of more than 16 MiB; lower batch"):
        encode(encoder)


def test_a_compressed_answer_is_refused(service, write_settings):
    encoder = open_encoder(write_settings(batch=6), device="cpu")
    service.always = refuse(200, b"\x1f\x8b", Content_Encoding="gzip")
    with pytest.raises(EncoderError, match="compressed"):
        encode(encoder)


def test_embeddings_of_another_length_are_refused(service, write_settings):
    encoder = open_encoder(write_settings(), device="cpu")
    service.change = lambda vectors: [one[:3] for one in vectors]
    with pytest.raises(EncoderError, match="embeddings of length 3; expected 7"):
        encode(encoder)


def test_a_service_that_is_not_there_is_told_at_once():
    with serve() as gone:
        url = gone.url
    with pytest.raises(EncoderError, match=r"asked once .* \(connection refused\)"):
        open_encoder(url, device="cpu")


def test_a_machine_that_does_not_encrypt_is_told_at_once(service):
    with pytest.raises(EncoderError, match=r"asked once .* no encrypted connection"):
        open_encoder(service.url.replace("http://", "https://"), device="cpu")


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes a certificate: openssl")
def test_a_certificate_is_checked(service, tmp_path, monkeypatch):
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout {tmp_path}/key.pem"
        f" -out {tmp_path}/cert.pem -addext subjectAltName=DNS:localhost".split(),
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    service.socket = context.wrap_socket(service.socket, server_side=True)
    url = service.url.replace("http://127.0.0.1", "https://localhost")
    with pytest.raises(EncoderError, match=r"asked once .* a certificate that cannot be verified"):
        open_encoder(url, device="cpu")
    assert not service.requests
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    assert open_encoder(url, device="cpu").spec.dim == 7


@pytest.mark.parametrize("option", [{"precision": "bfloat16"}, {"runtime": "compiled"}])
def test_precision_and_runtime_are_refused(service, option):
    with pytest.raises(EncoderError, match="neither --precision nor --runtime"):
        open_encoder(service.url, device="cpu", **option)
    assert not service.requests


def test_proxies_of_the_environment_are_used_and_never_for_this_machine(service, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serve() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        open_encoder(service.url, device="cpu")
        assert (len(service.requests), len(proxy.requests)) == (1, 0)
        open_encoder("http://embeddings.invalid/v1", device="cpu")
        assert [path for path, _, _ in proxy.requests] == ["http://embeddings.invalid/v1"]


# Redirects --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_on_the_same_machine_is_followed(service, write_settings, status):
    service.faults.append(refuse(status, Location="/v2/embeddings"))
    open_encoder(write_settings(), device="cpu")
    assert [path for path, _, _ in service.requests] == ["/v1/embeddings", "/v2/embeddings"]


def test_redirects_without_end_are_given_up(service, write_settings):
    service.always = refuse(307, Location="/v1/embeddings")
    with pytest.raises(EncoderError, match="more than 3 redirects"):
        open_encoder(write_settings(), device="cpu")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_image_and_no_key_follows_a_redirect_elsewhere(service, write_settings, monkeypatch, status):
    monkeypatch.setenv("MY_KEY", SECRET)
    with serve() as other:
        service.always = refuse(status, Location=f"{other.url}?key={quote(SECRET)}")
        with pytest.raises(
            EncoderError, match=f"answers {status} and sends requests to {other.url}"
        ) as found:
            open_encoder(write_settings(key_variable="MY_KEY"), device="cpu")
        assert not other.requests
    assert quote(SECRET) not in str(found.value)


@pytest.mark.parametrize(
    "location", ["https://127.0.0.1/x", "http://[::1", "ftp://127.0.0.1/", "http://127.0.0.1:99999/"]
)
def test_other_redirects_are_refused(service, write_settings, location):
    service.always = refuse(307, Location=location)
    with pytest.raises(EncoderError, match="is not followed"):
        open_encoder(write_settings(), device="cpu")


# The key ----------------------------------------------------------------------------------------------------


def test_the_key_is_sent_and_not_shown(service, write_settings, monkeypatch):
    monkeypatch.setenv("MY_KEY", f" {SECRET}\n")
    path = write_settings(key_variable="MY_KEY")
    encoder = open_encoder(path, device="cpu")
    assert service.requests[-1][1]["Authorization"] == f"Bearer {SECRET}"
    shown = repr(read_settings(path)) + repr(encoder.spec) + str(vars(encoder))
    assert SECRET not in shown


def test_the_key_goes_where_the_settings_say(service, write_settings, monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)
    query = '[service.query]\nkey = "{key}"\n'
    open_encoder(write_settings(query, key_variable="MY_KEY", key_header="api-key: {key}"), device="cpu")
    path, headers, _ = service.requests[-1]
    assert {name.lower(): value for name, value in headers.items()}["api-key"] == SECRET
    assert "Authorization" not in headers
    assert path.endswith(f"?key={quote(SECRET, safe='')}")


def test_no_key_no_header(service, write_settings):
    open_encoder(write_settings(), device="cpu")
    assert "Authorization" not in service.requests[-1][1]


def test_a_service_that_echoes_the_key_does_not_show_it(service, write_settings, monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)
    service.always = faults.echo_headers
    with pytest.raises(EncoderError, match=r"Bearer \*\*\*") as found:
        open_encoder(write_settings(key_variable="MY_KEY"), device="cpu")
    error = found.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__


@pytest.mark.parametrize(
    "form",
    [
        str,
        quote,
        lambda key: json.dumps(key),
        lambda key: base64.b64encode(key.encode()).decode(),
        lambda key: key[3:-2],
    ],
)
def test_no_form_of_the_key_is_left_in_a_text(form):
    text = f"before {form(SECRET)} after"
    found = Key(SECRET).scrub(text)
    assert found.startswith("before ")
    assert found.endswith(" after")
    assert "***" in found
    assert form(SECRET)[2:10] not in found


def test_a_text_without_the_key_stays():
    assert Key(SECRET).scrub("sk-4f+9 is short") == "sk-4f+9 is short"
    assert Key("").scrub("anything") == "anything"


@pytest.mark.parametrize("value", ["", "  ", "two\nlines", "\x00", "schlüssel"])
def test_a_key_that_is_none_is_refused_unseen(write_settings, monkeypatch, value):
    if "\x00" in value:
        value = "a\tb"
    monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(EncoderError, match="MY_KEY") as found:
        open_encoder(write_settings(key_variable="MY_KEY"), device="cpu")
    assert not value.strip() or value not in str(found.value)


def test_a_key_is_not_sent_without_encryption(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)
    path = tmp_path / "service.toml"
    path.write_text('[service]\nurl = "http://192.0.2.1/x"\nkey_variable = "MY_KEY"\n')
    with pytest.raises(EncoderError, match="without encryption"):
        read_settings(str(path))
    path.write_text(path.read_text() + "key_over_http = true\n")
    assert read_settings(str(path)).key


def test_the_key_goes_into_the_body(service, write_settings, monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)
    text = """
        [service.parameters.auth]
        token = "Token {key}"
        [service.body]
        api_key = "{key}"
        input = "{images}"
    """
    encoder = open_encoder(write_settings(text, key_variable="MY_KEY", key_header=""), device="cpu")
    _, headers, content = service.requests[-1]
    assert "Authorization" not in headers
    assert content["auth"] == {"token": f"Token {SECRET}"}
    assert content["api_key"] == SECRET
    assert SECRET not in repr(encoder.spec)


LITERAL = "s3cr3t-9d1c"
HELD = {
    f'key = "{LITERAL}"': "key",
    f'apiKey = "{LITERAL}"': "apiKey",
    f'password = "{LITERAL}"': "password",
    f'headers = {{ Authorization = "{LITERAL}" }}': "headers.Authorization",
    f'parameters = {{ api_key = "{LITERAL}" }}': "parameters.api_key",
    f'parameters = {{ user = "me", auth = {{ name = "{LITERAL}" }} }}': "parameters.auth.name",
    f'parameters = {{ all = [{{ OpenAIKey = "{LITERAL}" }}] }}': "parameters.all.OpenAIKey",
    f'parameters = {{ extra = "Bearer {LITERAL}" }}': "parameters.extra",
    f'parameters = {{ callback = "https://me:{LITERAL}@host/x" }}': "parameters.callback",
    "parameters = { pin_secret = 90817263 }": "parameters.pin_secret",
    f'query = {{ subscription-key = "{LITERAL}" }}': "query.subscription-key",
    f'query = {{ sig = "{LITERAL}" }}': "query.sig",
    f'body = {{ images = "{{images}}", access_token = "{LITERAL}" }}': "body.access_token",
    f'image = {{ data = "{{base64}}", x-amz-signature = "{LITERAL}" }}': "image.x-amz-signature",
    f'key_header = "Authorization: Bearer {LITERAL}"': "key_header",
    f'key_variable = "{LITERAL}"': "key_variable",
    f'key_variable = "{LITERAL.replace("-", "_")}"': "key_variable",
    f'url = "https://me:{LITERAL}@host/x"': "user name or password",
    f'url = "https://host/x?key={LITERAL}"': "a query",
}


@pytest.mark.parametrize("line", HELD)
def test_a_secret_that_stands_in_the_settings_is_refused_unseen(tmp_path, line):
    path = tmp_path / "service.toml"
    url = "" if line.startswith("url") else 'url = "http://127.0.0.1:9/x"\n'
    path.write_text(f"[service]\n{url}{line}\n")
    with pytest.raises(ShiftError, match=HELD[line]) as found:
        read_settings(str(path))
    for secret in (LITERAL, LITERAL.replace("-", "_"), "90817263"):
        assert secret not in str(found.value)


@pytest.mark.parametrize("field", ["model", "parameters", "query", "url"])
def test_the_key_of_the_variable_does_not_stand_in_the_settings(tmp_path, monkeypatch, field):
    monkeypatch.setenv("MY_KEY", LITERAL)
    path = tmp_path / "service.toml"
    lines = {"url": '"http://127.0.0.1:9/x"', "key_variable": '"MY_KEY"'}
    held = {"url": f'"http://127.0.0.1:9/{LITERAL}/x"', "model": f'"{LITERAL}"'}
    lines[field] = held.get(field, f'{{ user = "{LITERAL}" }}')
    path.write_text("[service]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items()))
    with pytest.raises(EncoderError, match="holds the key itself") as found:
        read_settings(str(path))
    assert LITERAL not in str(found.value)


def test_counts_flags_and_empty_strings_are_no_secrets(tmp_path):
    path = tmp_path / "service.toml"
    parameters = {"max_token": 512, "add_token": True, "token": "", "tokenizer": "fast", "keywords": "a b"}
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in parameters.items())
    path.write_text(f'[service]\nurl = "http://127.0.0.1:9/x"\n[service.parameters]\n{lines}')
    assert read_settings(str(path)).parameters == parameters


# Settings ---------------------------------------------------------------------------------------------------

WRONG = {
    "batch = 0": "batch .* is 0; expected 1 to 1024",
    "batch = true": "batch .* is bool; expected a whole number",
    'timeout = "long"': "timeout .* is str; expected a number",
    "timeout = nan": "timeout .* is nan; expected",
    'template = "jinna"': "did you mean 'jina'",
    'modle = "x"': "did you mean 'model'",
    'body = "x"': "body .* is str; expected a table",
    'body = { a = "{pictures}", b = "{images}" }': "placeholder {pictures}",
    "body = { a = 1 }": "exactly one of {images} and {image}",
    'body = { a = "{image}", b = "{images}" }': "exactly one of",
    'image = "x"': "exactly one of {base64} and {data_url}",
    'answer = "a[].b[].c"': "expected a path with one list",
    'answer = ""': "expected a path with one list",
    'key_header = "Bearer {key}"': "key_header",
    'key_header = "a b: {key}"': "key_header",
    'key_header = "Authorization: Bearer\\n{key}"': "key_header",
    "query = { a = 1 }": "must hold strings",
    'query = { a = "{key}" }': "no key_variable is named",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_settings_are_told(tmp_path, line):
    path = tmp_path / "service.toml"
    path.write_text(f'[service]\nurl = "http://127.0.0.1/x"\n{line}\n')
    with pytest.raises((EncoderError, UnknownNameError), match=WRONG[line]):
        read_settings(str(path))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[service",
        b"[service]\n",
        b'service = "x"',
        b"x" * 2**21,
        b"a = " + b"[" * 9999,
    ],
)
def test_what_is_no_file_of_settings_is_told(tmp_path, content):
    path = tmp_path / "service.toml"
    path.write_bytes(content)
    with pytest.raises(EncoderError, match="service"):
        open_encoder(str(path), device="cpu")


def test_a_file_that_is_missing_or_a_folder_is_told(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    for name in ("folder.toml", "missing.toml"):
        with pytest.raises(EncoderError, match="cannot be read"):
            open_encoder(str(tmp_path / name), device="cpu")


ADDRESSES = {
    "https://me:hush@host/x": "user name or password",
    "https://hush@host/x": "user name or password",
    "https://host/x?key=hush": "holds a query",
    "https://host/x#hush": "holds a query",
    "https://": "no address",
    "https:///x": "no address",
    "https://host:port/x": "no address",
    "https://host:99999/x": "no address",
    "https://[::1/x": "no address",
    "https://ho st/x": "a character",
    "https://host/x\n": "a character",
    "https://höst/x": "a character",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_holds_no_more_than_an_address(tmp_path, address):
    path = tmp_path / "service.toml"
    path.write_text(f"[service]\nurl = {json.dumps(address)}\n")
    for use in (
        check_address,
        read_settings,
        lambda text: make_plan(encoder=text),
        lambda _: read_settings(str(path)),
    ):
        with pytest.raises(PlanError, match=ADDRESSES[address]) as found:
            use(address)
        assert "hush" not in str(found.value)


@pytest.mark.parametrize(
    "address", ["http://localhost:8000", "https://[::1]:8/x", "https://host.example/a/b%20c", "lite"]
)
def test_an_address_passes(address):
    check_address(address)
    assert make_plan(encoder=address).encoder == address


# Answers ----------------------------------------------------------------------------------------------------


def test_numbers_beyond_float32_are_infinite_and_nan_stays():
    found = read_embeddings(
        b'{"data": [{"embedding": [1e300, -1e300, NaN, 0.1]}]}', path="data[].embedding", count=1
    )
    assert np.array_equal(found, np.array([[np.inf, -np.inf, np.nan, 0.1]], np.float32), equal_nan=True)


@pytest.mark.parametrize(
    "content", [b"1", b"null", b'"x"', b"[]", b"{}", b'{"data": {}}', b'{"data": [[]]}', b'{"data": [{}]}']
)
def test_answers_without_embeddings_are_told(content):
    with pytest.raises(WrongAnswerError, match=r"an answer|embeddings for"):
        read_embeddings(content, path="data[].embedding", count=1)


def test_errors_are_of_the_tree():
    assert issubclass(EncoderError, ShiftError)
