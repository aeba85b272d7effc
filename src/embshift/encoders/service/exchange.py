"""One request to a service and its answer, within bounds of time and size."""

import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final
from urllib.parse import quote, urlencode, urljoin, urlsplit

from embshift.core.errors import EncoderError
from embshift.core.services import strip_address
from embshift.core.version import __version__
from embshift.encoders.service.settings import Settings, is_this_machine

__all__ = ["Exchange", "NoAnswerError", "Reply"]

_LARGEST, _LARGEST_ERROR = 16 * 2**20, 4096  # bytes
_PART = 2**16
_REDIRECTS, _FOLLOWED = {301, 302, 303, 307, 308}, 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reply:
    """An answer.

    Attributes:
        status: Its status.
        headers: Its headers, by name in lower case.
        content: Its body; of an error the first 4 KiB.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)


class NoAnswerError(Exception):
    """No complete answer came.

    Attributes:
        final: Whether another request would fare no better.
        reached: Whether there is a machine that listens.
    """

    def __init__(self, text: str, *, final: bool = False, reached: bool = True) -> None:
        super().__init__(text)
        self.final, self.reached = final, reached


@final
class Exchange:
    """Posts to a service: verified TLS, the system's proxies, and no redirect to another place.

    Args:
        settings: How the service is asked.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        own = {} if is_this_machine(settings.url) else None  # None: those of the environment
        self._opener = urllib.request.OpenerDirector()
        # No handler of redirects, of errors, of cookies, or of other schemes.
        for handler in (urllib.request.ProxyHandler(own), _make_handler(settings.url)):
            self._opener.add_handler(handler)

    def post(self, body: bytes, /) -> Reply:
        """Send a request and return the answer, whatever its status.

        Raises:
            NoAnswerError: If there is none, it is cut off, too slow or too large.
            EncoderError: If the service sends the request to another place.
        """
        url, until = self._settings.url, time.monotonic() + self._settings.timeout
        for _ in range(_FOLLOWED + 1):
            reply = self._post(url, body, until=until)
            if reply.status not in _REDIRECTS:
                return reply
            url = self._follow(url, reply)
        raise NoAnswerError(f"more than {_FOLLOWED} redirects", final=True)

    def _follow(self, url: str, reply: Reply) -> str:
        """Return where the service sends the request, if that is on the same machine."""
        try:
            there = urljoin(url, reply.headers.get("location", ""))
        except ValueError:
            there = "nowhere"
        if reply.status == 303 or _place(url) != _place(there):
            shown = self._settings.key.scrub(strip_address(there))[:200]
            raise EncoderError(
                f"the service {self._settings.url} answers {reply.status} and sends requests to {shown}; that"
                " is not followed, since images and key would go there; if you trust it, give that address"
            )
        return strip_address(there)

    def _post(self, url: str, body: bytes, *, until: float) -> Reply:
        try:
            with self._opener.open(self._make_request(url, body), timeout=self._left(until)) as found:
                headers = {name.lower(): value for name, value in found.headers.items()}
                content = self._read(found, headers, until=until)
                return Reply(status=found.status, headers=headers, content=content)
        except urllib.error.URLError as error:
            raise _explain(error.reason, self._settings) from None
        except (OSError, http.client.HTTPException) as error:
            raise _explain(error, self._settings) from None

    def _make_request(self, url: str, body: bytes) -> urllib.request.Request:
        settings = self._settings
        query = urlencode({name: settings.key.fill(value) for name, value in settings.query.items()})
        target = quote(url, safe="%/:@!$&'()*+,;=~[]") + (f"?{query}" if query else "")
        request = urllib.request.Request(target, data=body, method="POST")
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"embshift/{__version__}",
        }
        name, _, value = settings.key_header.partition(":")
        if settings.key and name:
            headers[name.strip()] = settings.key.fill(value.strip())
        for each, text in headers.items():
            request.add_unredirected_header(each, text)
        return request

    def _left(self, until: float) -> float:
        left = until - time.monotonic()
        if left <= 0:
            raise NoAnswerError(f"no whole answer in {self._settings.timeout:g} s")
        return left

    def _read(self, found: Any, headers: Mapping[str, str], *, until: float) -> bytes:
        """Read an answer part by part: a service that sends a byte at a time is too slow, not alive."""
        if found.status != 200:
            return found.read1(_LARGEST_ERROR)
        if headers.get("content-encoding", "identity") != "identity":
            raise NoAnswerError("an answer that is compressed, though that was not asked for", final=True)
        stated = headers.get("content-length", "")
        wanted = int(stated) if stated.isdecimal() and len(stated) < 19 else None
        content = bytearray()
        while wanted is None or len(content) < wanted:
            self._left(until)
            part = found.read1(_PART)
            content += part
            if len(content) > _LARGEST:
                raise NoAnswerError(
                    f"an answer of more than {_LARGEST // 2**20} MiB; lower batch in the settings", final=True
                )
            if not part:
                break
        if wanted is not None and len(content) < wanted:
            raise NoAnswerError(f"an answer cut off after {len(content):,} of {wanted:,} bytes")
        return bytes(content)


def _make_handler(url: str) -> urllib.request.BaseHandler:
    if url.lower().startswith("https:"):
        return urllib.request.HTTPSHandler(context=ssl.create_default_context())
    return urllib.request.HTTPHandler()


def _place(url: str) -> tuple[str, str | None, int | None] | None:
    """Return scheme, host and port of an address; None for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    return parts.scheme, parts.hostname, port


def _explain(error: Any, settings: Settings) -> NoAnswerError:
    if isinstance(error, TimeoutError):
        return NoAnswerError(f"no whole answer in {settings.timeout:g} s")
    if isinstance(error, ssl.SSLCertVerificationError):
        return NoAnswerError(
            f"a certificate that cannot be verified ({error.verify_message}); set SSL_CERT_FILE to the"
            " authority that you trust",
            final=True,
        )
    if isinstance(error, ssl.SSLError) and not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return NoAnswerError(f"no encrypted connection ({error.reason}); is it http?", final=True)
    if isinstance(error, socket.gaierror):
        final = error.errno != socket.EAI_AGAIN
        return NoAnswerError(f"no machine of that name ({error.strerror})", final=final, reached=False)
    if isinstance(error, ConnectionRefusedError):
        return NoAnswerError("nothing listens there (connection refused)", reached=False)
    if isinstance(error, http.client.IncompleteRead):
        return NoAnswerError("an answer cut off")
    text = settings.key.scrub(" ".join(str(error).split()))[:200]
    return NoAnswerError(f"no answer ({type(error).__name__}{': ' if text else ''}{text})")
