"""A client that hands requests to an ASGI application itself, so that a test decides on every header."""

import asyncio
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def frame(self):
        """The JSON text of a binary answer, and its bodies by name."""
        size = int.from_bytes(self.body[:4], "little")
        content = json.loads(self.body[4 : 4 + size])
        rest = self.body[4 + size :]
        parts = content.get("bodies") or content.get("arrays")
        return content, {one["name"]: rest[one["offset"] : one["offset"] + one["length"]] for one in parts}


def ask(app, method, path, *, query="", headers=(), body=b"", chunk=2**20, kind="http"):
    """Return the answer to one request.

    Args:
        app: The application.
        method: Method.
        path: The path as it stands in the scope.
        query: What follows "?".
        headers: Pairs of name and value.
        body: The body, which is sent in chunks.
        chunk: Bytes of a chunk.
        kind: Type of the scope.
    """
    scope = {
        "type": kind,
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "scheme": "http",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "server": ("127.0.0.1", 1),
        "client": ("127.0.0.1", 2),
    }
    parts = [body[at : at + chunk] for at in range(0, len(body), chunk)] or [b""]
    sent = []

    async def receive():
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    if not sent:
        return None
    start = next(one for one in sent if one["type"] == "http.response.start")
    content = b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(status=start["status"], headers=headers, body=content)
