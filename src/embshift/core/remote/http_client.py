"""Client for web servers: ranges of objects within bounds of time and size, at addresses that were checked.

No proxy is used, since it would look up names itself, behind the back of the check.
"""

import atexit
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, final
from urllib.parse import quote, urljoin, urlsplit

from embshift.core.errors import ImageError
from embshift.core.remote.addresses import redact_address
from embshift.core.remote.faults import PASSING, PATIENCE, PassingError, read_wait
from embshift.core.remote.guard import PrivateAddressError, connect
from embshift.core.version import __version__

__all__ = ["Place", "Reply", "Request", "find_place", "send"]

_REDIRECTS, _FOLLOWED = frozenset({301, 302, 303, 307, 308}), 5
_PART = 2**16
_IDLE = 16  # connections that are kept open between requests
_KEPT = "%/:@!$&'()*+,;=~[]"  # letters of an address that need no quoting, or are quoted already
_ERROR = 2048  # bytes of an error's text that are read, so that its connection can be used again


class Place(NamedTuple):
    """Scheme, host and port of a web address."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.

    Attributes:
        url: The address.
        method: "GET" or "HEAD".
        headers: Its headers.
        secrets: Headers that only the place of `url` gets, and no other that it redirects to.
        most: Bytes that the answer may have; 0 to read its headers alone.
        private: Whether private network addresses may be connected to.
        trusted: A place that may be private in any case: the user's own settings name it.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    most: int = 2**20
    private: bool = False
    trusted: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reply:
    """An answer.

    Attributes:
        status: Its status.
        headers: Its headers, by name in lower case.
        content: Its body; of anything but 200 and 206, empty.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)


def find_place(url: str, /) -> Place:
    """Return scheme, host and port of a web address.

    Raises:
        ImageError: If it is none ("unreadable").
    """
    try:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        port = parts.port or {"http": 80, "https": 443}[scheme]
    except (ValueError, KeyError):
        parts, scheme, port = None, "", 0
    if parts is None or not parts.hostname or "@" in parts.netloc:
        raise ImageError(f"{redact_address(url)} is no web address", status="unreadable")
    return Place(scheme, parts.hostname, port)


def send(request: Request, /) -> Reply:
    """Send a request, follow redirects, and return the answer, whatever its status.

    Raises:
        ImageError: If the answer is too large ("too_large"), or what it leads to is not allowed
            ("unreadable").
        PassingError: If no whole answer comes, which may pass.
    """
    url, first, until = request.url, find_place(request.url), time.monotonic() + PATIENCE.answer
    for _ in range(_FOLLOWED + 1):
        place = find_place(url)
        reply = _send_once(request, url, place=place, own=place == first, until=until)
        if reply.status not in _REDIRECTS:
            if reply.status in PASSING:
                wait = read_wait(reply.headers.get("retry-after", ""))
                raise PassingError(f"status {reply.status}", wait=wait)
            return reply
        url = _follow(url, reply.headers.get("location", ""))
    raise ImageError(
        f"{redact_address(request.url)} redirects more than {_FOLLOWED} times", status="unreadable"
    )


def _follow(url: str, location: str) -> str:
    try:
        there = urljoin(url, location) if location else ""
    except ValueError:
        there = ""
    place = find_place(there or "nowhere")
    if place.scheme == "http" and url.lower().startswith("https:"):
        raise ImageError(
            f"{redact_address(url)} redirects from https to http, which is not followed", status="unreadable"
        )
    return there.partition("#")[0]


def _send_once(request: Request, url: str, *, place: Place, own: bool, until: float) -> Reply:
    private = request.private or place == request.trusted
    headers = {
        "Accept-Encoding": "identity",
        "User-Agent": f"embshift/{__version__}",
        **request.headers,
        **(request.secrets if own else {}),
    }
    try:
        kept = _idle.take(place, private=private)
        if kept is not None:
            # A server may close a connection at any time that nothing is asked on it.
            with suppress(ConnectionError, ssl.SSLEOFError):
                return _ask(kept, request, url, headers=headers, until=until)
        return _ask(_open(place, private=private), request, url, headers=headers, until=until)
    except PrivateAddressError as error:
        raise ImageError(
            f"{redact_address(url)} is not read: {error}; if you mean it, give --allow-private"
            " (allow_private=True)",
            status="unreadable",
        ) from None
    except ssl.SSLCertVerificationError as error:
        text = (
            f"its certificate cannot be verified ({error.verify_message}); set SSL_CERT_FILE to the authority"
        )
        raise ImageError(f"{redact_address(url)}: {text} that you trust", status="unreadable") from None
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise PassingError(f"no answer from the name server ({error.strerror})") from None
        text = f"{redact_address(url)}: no machine of that name ({error.strerror})"
        raise ImageError(text, status="unreadable") from None
    except (UnicodeError, http.client.InvalidURL) as error:  # a name that no machine can have
        raise ImageError(f"{redact_address(url)} is no web address: {error}", status="unreadable") from None
    except (OSError, http.client.HTTPException) as error:
        raise PassingError(_explain(error)) from None


def _ask(
    connection: "_Connection", request: Request, url: str, *, headers: Mapping[str, str], until: float
) -> Reply:
    try:
        connection.request(request.method, _make_target(url), headers=dict(headers))
        found = connection.getresponse()
        told = {name.lower(): value for name, value in found.headers.items()}
        content = b""
        if found.status in (200, 206) and request.method == "GET" and request.most:
            content = _read(found, told, url=url, most=request.most, until=until)
        elif request.method == "HEAD" or found.status not in (200, 206):
            found.read(_ERROR)
    except BaseException:
        connection.close()
        raise
    if found.isclosed() and not found.will_close:
        _idle.put(connection)
    else:
        connection.close()
    return Reply(status=found.status, headers=told, content=content)


def _make_target(url: str) -> str:
    parts = urlsplit(url)
    target = quote(parts.path or "/", safe=_KEPT)
    return target + (f"?{quote(parts.query, safe=_KEPT + '?')}" if parts.query else "")


def _read(found: Any, told: Mapping[str, str], *, url: str, most: int, until: float) -> bytes:
    """Read an answer part by part: a server that sends a byte at a time is too slow, not alive."""
    if told.get("content-encoding", "identity") != "identity":
        text = f"{redact_address(url)} answers compressed, though that was not asked for"
        raise ImageError(text, status="unreadable")
    stated = told.get("content-length", "")
    wanted = int(stated) if stated.isdecimal() and len(stated) < 19 else None
    content = bytearray()
    while wanted is None or len(content) < wanted:
        if (wanted or len(content)) > most:
            size = f"{wanted:,} bytes" if wanted else "more"
            text = f"{redact_address(url)} has {size}; at most {most:,} are read"
            raise ImageError(text, status="too_large")
        if time.monotonic() > until:
            raise PassingError(f"no whole answer in {PATIENCE.answer:g} s")
        part = found.read1(_PART)
        content += part
        if not part:
            break
    if wanted is not None and len(content) < wanted:
        raise PassingError(f"the answer was cut off after {len(content):,} of {wanted:,} bytes")
    found.close()
    return bytes(content)


@final
class _Connection(http.client.HTTPConnection):
    """A connection to a network address that was checked."""

    def __init__(self, place: Place, *, private: bool) -> None:
        super().__init__(place.host, place.port, timeout=PATIENCE.answer)
        self.place, self.private = place, private

    def connect(self) -> None:
        """Connect, and encrypt where the scheme says so."""
        plain = connect(self.place.host, self.place.port, timeout=PATIENCE.connect, private=self.private)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.place.scheme == "https":
                plain = _context().wrap_socket(plain, server_hostname=self.place.host)
            plain.settimeout(min(30.0, PATIENCE.answer))
        except BaseException:
            plain.close()
            raise
        self.sock = plain


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _open(place: Place, *, private: bool) -> _Connection:
    made = _Connection(place, private=private)
    made.connect()
    return made


@final
class _Idle:
    """Connections that are open and on which nothing is asked."""

    def __init__(self) -> None:
        self._lock, self._held = threading.Lock(), list[_Connection]()

    def take(self, place: Place, *, private: bool) -> _Connection | None:
        with self._lock:
            for at, one in enumerate(self._held):
                if (one.place, one.private) == (place, private):
                    return self._held.pop(at)
        return None

    def put(self, connection: _Connection) -> None:
        with self._lock:
            self._held.append(connection)
            old = self._held.pop(0) if len(self._held) > _IDLE else None
        if old is not None:
            old.close()

    def clear(self) -> None:
        with self._lock:
            held, self._held = self._held, []
        for one in held:
            with suppress(OSError):
                one.close()


_idle = _Idle()
atexit.register(_idle.clear)


def _explain(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    text = " ".join(str(error).split())[:200]
    return f"no answer ({type(error).__name__}{': ' if text else ''}{text})"
