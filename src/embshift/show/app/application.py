"""The application: which path gives which answer. Reading of requests here, answers in ``answers``."""

import logging
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from embshift.core.errors import ShiftError
from embshift.core.text_files import parse_json
from embshift.core.types import ORIGINAL
from embshift.show.app.answers.frames import to_json
from embshift.show.app.answers.gallery import list_gallery
from embshift.show.app.answers.overview import describe_runs
from embshift.show.app.answers.projection import project_views
from embshift.show.app.answers.requests import DROPPED, Desk, RefusedError
from embshift.show.app.answers.thumbs import SIDE, make_thumb
from embshift.show.app.answers.view import answer_view
from embshift.show.app.answers.wish import read_wish
from embshift.show.app.guard import Guard
from embshift.show.text.words import make_visible

__all__ = ["IMAGE_BYTES", "build_app"]

IMAGE_BYTES = 32 * 2**20
"""Largest file that is taken as a dropped image."""

_WISH_BYTES = 2**16

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_log = logging.getLogger("embshift")

Endpoint = Callable[[Request], Awaitable[Response]]


def build_app(desk: Desk, *, port: int, token: str) -> Guard:
    """Return the application behind its guard.

    Args:
        desk: What answers are made from.
        port: Port that it is served on.
        token: What requests below ``/api`` must show.
    """
    assets = _load_assets()
    routes = [
        Route("/", _serve_asset(assets, "index.html"), methods=["GET"]),
        *(Route(f"/assets/{name}", _serve_asset(assets, name), methods=["GET"]) for name in assets),
        Route("/api/run", _describe(desk), methods=["GET"]),
        Route("/api/gallery", _list_gallery(desk), methods=["GET"]),
        Route("/api/thumb/{row}", _make_thumb(desk), methods=["GET"]),
        Route("/api/projection", _project(desk), methods=["GET"]),
        Route("/api/view", _answer_view(desk), methods=["POST"]),
        Route("/api/picture", _drop(desk), methods=["PUT"]),
    ]
    handlers: dict[Any, Any] = {
        HTTPException: _tell_status,
        RefusedError: _tell_refusal,
        ShiftError: _tell_error,
    }
    app = Starlette(routes=[_make_quiet(one) for one in routes], exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app=app, port=port, token=token)


def _load_assets() -> dict[str, tuple[bytes, str]]:
    """Return the page's files by name; a request never becomes a path."""
    folder = files("embshift.show.app") / "assets"
    found = dict[str, tuple[bytes, str]]()
    for file in folder.iterdir() if folder.is_dir() else ():
        kind = _TYPES.get(f".{file.name.rpartition('.')[2]}")
        if kind is not None:
            found[file.name] = (file.read_bytes(), kind)
    return found


def _serve_asset(assets: dict[str, tuple[bytes, str]], name: str) -> Endpoint:
    async def serve(request: Request) -> Response:
        if name not in assets:
            raise RefusedError(404, "the page is missing from this installation; install embshift again")
        content, kind = assets[name]
        return Response(content, headers={"content-type": kind})

    return serve


def _make_quiet(route: Route) -> Route:
    """Return a route whose defects become an answer, and a line in the log."""
    own = route.endpoint

    async def answer(request: Request) -> Response:
        try:
            return await own(request)
        except (HTTPException, RefusedError, ShiftError):
            raise
        except Exception:  # noqa: BLE001 - a damaged run may make anything fail
            _log.exception("a request to %s failed", route.path)
            return _tell(
                500,
                "the answer failed; check the run with 'embshift verify RUN', and report it if that is sound",
            )

    return Route(route.path, answer, methods=list(route.methods or ()))


def _describe(desk: Desk) -> Endpoint:
    async def describe(request: Request) -> Response:
        return _to_response(await run_in_threadpool(describe_runs, desk))

    return describe


def _list_gallery(desk: Desk) -> Endpoint:
    async def gallery(request: Request) -> Response:
        found = await run_in_threadpool(
            list_gallery,
            desk,
            transform=request.query_params.get("transform"),
            order=request.query_params.get("order", "most"),
            cursor=_read_number(request, "cursor", 0),
            count=_read_number(request, "count", 60),
        )
        return _to_response(found)

    return gallery


def _make_thumb(desk: Desk) -> Endpoint:
    async def thumb(request: Request) -> Response:
        name = request.path_params["row"]
        row = None if name == DROPPED else _parse(name, "row")
        found = await run_in_threadpool(
            make_thumb,
            desk,
            row,
            transform=request.query_params.get("transform", ORIGINAL),
            side=_read_number(request, "side", SIDE),
        )
        return Response(found, media_type="image/png")

    return thumb


def _project(desk: Desk) -> Endpoint:
    async def project(request: Request) -> Response:
        found = await run_in_threadpool(
            project_views,
            desk,
            transform=request.query_params.get("transform", ""),
            plane=request.query_params.get("plane", "images"),
            encoder=_read_number(request, "encoder", 0),
        )
        return Response(found, media_type="application/octet-stream")

    return project


def _answer_view(desk: Desk) -> Endpoint:
    async def view(request: Request) -> Response:
        text = await _read_body(request, most=_WISH_BYTES)
        found = await run_in_threadpool(_see, desk, text)
        return Response(found, media_type="application/octet-stream")

    return view


def _see(desk: Desk, text: bytes) -> bytes:
    try:
        content = parse_json(text.decode())
    except ValueError as error:
        raise RefusedError(422, f"the request is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise RefusedError(422, "the request is not a JSON object")
    return answer_view(desk, read_wish(desk, content))


def _drop(desk: Desk) -> Endpoint:
    async def drop(request: Request) -> Response:
        content = await _read_body(request, most=IMAGE_BYTES)
        width, height = await run_in_threadpool(_take, desk, content)
        return _to_response({"row": DROPPED, "name": "dropped image", "width": width, "height": height})

    return drop


def _take(desk: Desk, content: bytes) -> tuple[int, int]:
    live = desk.list_live()
    if not live:
        raise RefusedError(409, f"a dropped image cannot be encoded: {make_visible(desk.first.why)}")
    try:
        sizes = [one.drop(content) for one in live]
    except ShiftError as error:
        raise RefusedError(422, make_visible(str(error))) from error
    return sizes[0]


async def _read_body(request: Request, *, most: int) -> bytes:
    """Read a body; it is refused as soon as it is known to be too large."""
    stated = request.headers.get("content-length", "0")
    if stated.isdecimal() and len(stated) < 20 and int(stated) > most:
        raise RefusedError(413, f"the request has {int(stated):,} bytes; at most {most:,} are read")
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise RefusedError(413, f"the request has more than {most:,} bytes")
        parts.append(part)
    return b"".join(parts)


def _read_number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    return default if text is None else _parse(text, name)


def _parse(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise RefusedError(404 if name == "row" else 422, f"{name} is {text[:40]!r}; expected a whole number")
    return int(text)


def _to_response(content: dict[str, Any]) -> Response:
    return Response(to_json(content), media_type="application/json")


def _tell(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    text = to_json({"error": sentence})
    return Response(text, status_code=status, media_type="application/json", headers=headers)


async def _tell_status(request: Request, error: HTTPException) -> Response:
    sentence = {404: "there is nothing at this address", 405: "this address takes another method"}
    headers = dict(error.headers) if error.headers else None
    return _tell(error.status_code, sentence.get(error.status_code, str(error.detail)), headers)


async def _tell_refusal(request: Request, error: RefusedError) -> Response:
    return _tell(error.status, make_visible(error.sentence))


async def _tell_error(request: Request, error: ShiftError) -> Response:
    return _tell(409, make_visible(str(error)))
