"""The guard: who may ask what. Every request passes it before anything else, and every answer after it.

Another site that the user's browser has open must not reach the app: neither by its own requests (Origin,
Sec-Fetch-Site, token), nor by a name of its own that it points to this machine (Host).
"""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from embshift.show.app.answers.frames import to_json

__all__ = ["ADDRESS", "Guard"]

ADDRESS = "127.0.0.1"
"""The only address that the app listens on."""

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script';"
    " trusted-types 'none'"
)

_HEADERS = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "content-security-policy": _CSP,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }.items()
)

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Wraps an application.

    Attributes:
        app: The application.
        port: Port that it listens on.
        token: What every request below ``/api`` must show.
    """

    app: App
    port: int
    token: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # a websocket that is not answered is closed
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        refused = self._check(scope)
        if refused is None:
            await self.app(scope, receive, send_guarded)
        else:
            await _answer(send_guarded, *refused)

    def _check(self, scope: Scope) -> tuple[int, str] | None:
        """Return a status and the reason where a request is refused."""
        headers = _collect(scope)
        names = _list_hosts(self.port)
        if headers.get("host", []) not in [[name] for name in names]:
            return (
                421,
                f"this server answers to {names[0]} only; over SSH, forward the same port on both sides",
            )
        origins = headers.get("origin", [])
        if origins and origins not in [[f"http://{name}"] for name in names]:
            return 403, "the request comes from another site"
        sites = headers.get("sec-fetch-site", [])
        if sites and sites not in (["same-origin"], ["none"]):
            return 403, "the request comes from another site; open the printed address yourself"
        # The path as it came: an address that was put together from Host could say otherwise.
        if scope["path"].startswith("/api") and not self._is_known(headers.get("authorization", [])):
            return 401, "the token is missing or wrong; open the address that embshift serve printed"
        return None

    def _is_known(self, given: list[str]) -> bool:
        wanted = f"Bearer {self.token}".encode()
        return len(given) == 1 and hmac.compare_digest(given[0].encode("latin-1"), wanted)


def _collect(scope: Scope) -> dict[str, list[str]]:
    found = dict[str, list[str]]()
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _list_hosts(port: int) -> list[str]:
    names = [f"{ADDRESS}:{port}", f"localhost:{port}"]
    return [*names, ADDRESS, "localhost"] if port == 80 else names


async def _answer(send: Send, status: int, reason: str) -> None:
    text = to_json({"error": reason})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
