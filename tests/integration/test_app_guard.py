"""Who may ask the app what: every header, path and method that must be refused is."""

import pytest

from embshift.show.app.application import IMAGE_BYTES
from tests.asgi_client import ask
from tests.served import HOST, KEY, PORT, TOKEN, serve_runs
from tests.synthetic_runs import Wanted, make_run

SITE = f"http://127.0.0.1:{PORT}"
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("guarded") / "run", Wanted(images=12))
    return serve_runs(run.folder).app


def test_the_page_needs_no_token(app):
    reply = ask(app, "GET", "/", headers=[HOST])
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert TOKEN not in reply.body.decode()


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}"])
@pytest.mark.parametrize("origin", [None, SITE, f"http://localhost:{PORT}"])
@pytest.mark.parametrize("site", [None, "same-origin", "none"])
def test_own_requests_are_answered(app, host, origin, site):
    headers = [("Host", host), KEY]
    headers += [("Origin", origin)] if origin else []
    headers += [("Sec-Fetch-Site", site)] if site else []
    assert ask(app, "GET", "/api/gallery", headers=headers).status == 200


@pytest.mark.parametrize("path", ["/", "/assets/main.js", "/api/run", "/nowhere"])
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (421, []),
        (421, [("Host", "127.0.0.1")]),
        (421, [("Host", f"127.0.0.1:{PORT + 1}")]),
        (421, [("Host", f"rebound.example:{PORT}")]),
        (421, [("Host", f"127.0.0.1:{PORT}.rebound.example")]),
        (421, [("Host", f"127.0.0.1:{PORT}@rebound.example")]),
        (421, [("Host", f"127.0.0.1:{PORT}/api/run?")]),
        (421, [("Host", f"0.0.0.0:{PORT}")]),
        (421, [("Host", f"[::1]:{PORT}")]),
        (421, [("Host", f"LOCALHOST:{PORT}.")]),
        (421, [HOST, HOST]),
        (421, [HOST, ("Host", "rebound.example")]),
        (403, [HOST, ("Origin", "http://rebound.example")]),
        (403, [HOST, ("Origin", "null")]),
        (403, [HOST, ("Origin", "")]),
        (403, [HOST, ("Origin", f"https://127.0.0.1:{PORT}")]),
        (403, [HOST, ("Origin", f"http://127.0.0.1:{PORT + 1}")]),
        (403, [HOST, ("Origin", SITE), ("Origin", "http://rebound.example")]),
        (403, [HOST, ("Sec-Fetch-Site", "cross-site")]),
        (403, [HOST, ("Sec-Fetch-Site", "same-site")]),
        (403, [HOST, ("Sec-Fetch-Site", "")]),
    ],
)
def test_foreign_requests_are_refused(app, path, status, headers):
    reply = ask(app, "GET", path, headers=[*headers, KEY])
    assert reply.status == status
    assert reply.json["error"]
    assert reply.headers.items() >= HEADERS.items()


@pytest.mark.parametrize("path", ["/api/run", "/api/nowhere", "/api", "/api/", "/apix"])
@pytest.mark.parametrize(
    "given",
    [
        [],
        [("Authorization", "Bearer wrong")],
        [("Authorization", f"bearer {TOKEN}")],
        [("Authorization", f"Bearer {TOKEN} ")],
        [("Authorization", f"Bearer {TOKEN}\xff")],
        [("Authorization", f"Basic {TOKEN}")],
        [("Authorization", TOKEN)],
        [("Cookie", f"token={TOKEN}")],
        [KEY, KEY],
    ],
)
def test_no_answer_without_the_token(app, path, given):
    reply = ask(app, "GET", path, query=f"token={TOKEN}", headers=[HOST, *given])
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/run", "GET, HEAD"),
        ("DELETE", "/api/run", "GET, HEAD"),
        ("PUT", "/api/gallery", "GET, HEAD"),
        ("GET", "/api/view", "POST"),
        ("POST", "/api/picture", "PUT"),
        ("OPTIONS", "/api/picture", "PUT"),
        ("POST", "/", "GET, HEAD"),
        ("POST", "/assets/main.js", "GET, HEAD"),
    ],
)
def test_other_methods_are_refused(app, method, path, allowed):
    reply = ask(app, method, path, headers=[HOST, KEY])
    assert reply.status == 405
    assert sorted(reply.headers["allow"].split(", ")) == allowed.split(", ")
    assert reply.headers.items() >= HEADERS.items()


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../application.py",
        "/assets/..%2fapplication.py",
        "/assets/%2e%2e/guard.py",
        "/assets//etc/passwd",
        "/assets/",
        "/assets/__init__.py",
        "/assets/main.js/",
        "//",
        "/index.html",
        "/api/thumb/../run",
        "/api/thumb/0/../../run",
        "/api/thumb/-1",
        "/api/thumb/1e3",
        "/api/thumb/٣",
        "/api/thumb/" + "9" * 400,
        "/api/run/",
        "/api/RUN",
    ],
)
def test_other_paths_lead_nowhere(app, path):
    reply = ask(app, "GET", path, headers=[HOST, KEY])
    assert reply.status == 404
    assert reply.json["error"]
    assert b"import" not in reply.body


def test_every_asset_says_its_type(app):
    for name, kind in (
        ("app.css", "text/css"),
        ("main.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ):
        reply = ask(app, "GET", f"/assets/{name}", headers=[HOST])
        assert reply.status == 200
        assert reply.headers["content-type"].startswith(kind)
        assert reply.headers.items() >= HEADERS.items()
        assert "set-cookie" not in reply.headers


def test_no_websocket_is_opened(app):
    assert ask(app, "GET", "/api/run", headers=[HOST, KEY], kind="websocket") is None


def test_large_bodies_are_refused_before_they_are_read(app):
    for stated in ([("Content-Length", str(IMAGE_BYTES + 1))], [("Content-Length", "9" * 19)]):
        reply = ask(app, "PUT", "/api/picture", headers=[HOST, KEY, *stated], body=b"x")
        assert (reply.status, "at most" in reply.json["error"]) == (413, True)
    lying = [HOST, KEY, ("Content-Length", "3")]
    assert ask(app, "PUT", "/api/picture", headers=lying, body=bytes(IMAGE_BYTES + 1)).status == 413
    assert ask(app, "POST", "/api/view", headers=[HOST, KEY], body=bytes(2**16 + 1)).status == 413
