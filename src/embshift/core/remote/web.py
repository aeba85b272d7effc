"""Objects on web servers: what a server says of one, and ranges of it, with every answer checked."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from embshift.core.errors import ImageError
from embshift.core.remote.access import Access
from embshift.core.remote.addresses import redact_address
from embshift.core.remote.http_client import Place, Reply, Request, send
from embshift.core.stores import StoredObject

__all__ = ["WHOLE", "read_web", "stat_web"]

WHOLE = 64 * 2**20
"""Bytes of an object that are read to the end for a range of it, where a server sends no ranges."""

_RANGE = re.compile(r"bytes\s+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.ASCII)


def stat_web(
    url: str, /, *, access: Access, secrets: Mapping[str, str] | None = None, trusted: Place | None = None
) -> StoredObject | None:
    """Return what a web server says of an object; None if it is not there.

    A server that refuses HEAD is asked for the first byte.

    Raises:
        ImageError: If the server refuses.
        PassingError: If it does not answer, which may pass.
    """
    request = Request(url=url, method="HEAD", secrets=secrets or {}, private=access.private, trusted=trusted)
    reply = send(request)
    if reply.status not in (200, 404, 410) or (reply.status == 200 and _read_size(reply) < 0):
        reply = send(
            Request(
                url=url,
                headers={"Range": "bytes=0-0"},
                secrets=secrets or {},
                most=0,
                private=access.private,
                trusted=trusted,
            )
        )
    if reply.status in (404, 410):
        return None
    if reply.status not in (200, 206, 416):
        raise _refuse(url, reply)
    return StoredObject(
        address=url, size=_read_size(reply), etag=_name_content(reply), modified_ns=_read_time(reply)
    )


def read_web(
    url: str,
    /,
    *,
    start: int,
    length: int | None,
    etag: str,
    most: int,
    access: Access,
    secrets: Mapping[str, str] | None = None,
    trusted: Place | None = None,
) -> bytes:
    """Read an object on a web server, or a range of it.

    Args:
        url: The address.
        start: First byte.
        length: Bytes that are read; all that follow if None.
        etag: What `stat_web` called the content; empty for any.
        most: Bytes that are read at most.
        access: What may be connected to.
        secrets: Headers for this server alone.
        trusted: A place that may be private in any case.

    Raises:
        ImageError: If it is missing, changed or too large, or the server refuses or answers another range.
        PassingError: If no whole answer comes, which may pass.
    """
    ranged = bool(start) or length is not None
    end = "" if length is None else start + length - 1
    request = Request(
        url=url,
        headers={"Range": f"bytes={start}-{end}"} if ranged else {},
        secrets=secrets or {},
        most=max(most, WHOLE) if ranged else most,
        private=access.private,
        trusted=trusted,
    )
    reply = send(request)
    if reply.status not in (200, 206):
        raise _refuse(url, reply)
    if etag and _name_content(reply) != etag:
        raise ImageError(
            f"{redact_address(url)} changed since it was listed: it was {etag} and is now"
            f" {_name_content(reply) or 'without a name'}",
            status="changed",
        )
    if reply.status == 206:
        _check_range(url, reply, start=start, length=length)
        found = reply.content
    else:  # all of it, since the server knows no ranges
        found = reply.content[start : None if length is None else start + length]
    return _check_length(url, found, start=start, length=length, most=most)


def _check_length(url: str, found: bytes, *, start: int, length: int | None, most: int) -> bytes:
    if length is not None and len(found) != length:
        raise ImageError(
            f"{redact_address(url)} changed since it was listed: {len(found):,} of {length:,} bytes from"
            f" {start:,} on are there",
            status="changed",
        )
    if len(found) > most:
        text = f"{redact_address(url)} has {len(found):,} bytes; at most {most:,} are read"
        raise ImageError(text, status="too_large")
    return found


def _check_range(url: str, reply: Reply, *, start: int, length: int | None) -> None:
    stated = reply.headers.get("content-range", "")
    found = _RANGE.fullmatch(stated.strip())
    first, last, total = found.groups() if found else ("-1", "-1", "*")
    whole = total.isdecimal() and int(last) == int(total) - 1  # up to the end: fewer than were asked for
    wanted = int(last) if length is None or whole else start + length - 1
    right = int(first) == start and int(last) == wanted
    if not right or len(reply.content) != int(last) - int(first) + 1:
        raise ImageError(
            f"{redact_address(url)} was asked for bytes from {start:,} on and answers"
            f" '{redact_address(stated)[:60]}' with {len(reply.content):,} bytes; that is refused",
            status="unreadable",
        )


def _refuse(url: str, reply: Reply) -> ImageError:
    shown = redact_address(url)
    if reply.status in (404, 410):
        return ImageError(f"{shown} does not exist (status {reply.status})", status="missing")
    if reply.status in (412, 416):
        return ImageError(f"{shown} changed since it was listed (status {reply.status})", status="changed")
    why = " (no access)" if reply.status in (401, 403) else ""
    return ImageError(f"{shown} is refused: status {reply.status}{why}", status="unreadable")


def _read_size(reply: Reply) -> int:
    """Return the size of the whole object; −1 where the server does not say."""
    if reply.status in (206, 416):
        total = reply.headers.get("content-range", "").rpartition("/")[2]
    else:
        total = reply.headers.get("content-length", "")
    return int(total) if total.isascii() and total.isdecimal() and len(total) < 19 else -1


def _name_content(reply: Reply) -> str:
    """Return what the server calls this content: its ETag, or else when it was written."""
    etag = reply.headers.get("etag", "").strip()
    written = reply.headers.get("last-modified", "").strip()
    found = etag or (f"modified {written}" if written else "")
    return "".join(letter for letter in found if letter.isprintable())[:200]


def _read_time(reply: Reply) -> int:
    try:
        return int(parsedate_to_datetime(reply.headers.get("last-modified", "")).timestamp()) * 10**9
    except (ValueError, TypeError, IndexError, OverflowError):
        return -1
