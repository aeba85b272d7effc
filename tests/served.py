"""A served run for tests: its desk, and its application behind the guard."""

import json
from dataclasses import dataclass
from typing import Any

from embshift.measurement.session.trust import NO_TRUST
from embshift.measurement.studies.live.opening import open_served
from embshift.runs.tables import open_tables
from embshift.show.app.answers.requests import Desk
from embshift.show.app.application import build_app
from tests.asgi_client import ask

PORT, TOKEN = 8123, "a-token"
HOST = ("Host", f"127.0.0.1:{PORT}")
KEY = ("Authorization", f"Bearer {TOKEN}")


@dataclass(frozen=True)
class Served:
    desk: Desk
    app: Any

    def get(self, path, query="", *, headers=(HOST, KEY)):
        return ask(self.app, "GET", path, query=query, headers=headers)

    def view(self, row=0, transform="blur", strength=None, **more):
        wish = {"row": row, "transform": transform, "strength": strength, **more}
        return self.post(json.dumps(wish).encode())

    def post(self, body):
        return ask(self.app, "POST", "/api/view", headers=(HOST, KEY), body=body)

    def drop(self, content, **more):
        return ask(self.app, "PUT", "/api/picture", headers=(HOST, KEY), body=content, **more)


def serve_runs(*folders, trust=NO_TRUST, **more):
    """Return the app of one or two run folders."""
    sides = [open_served(open_tables(one), title=one.name, trust=trust) for one in folders]
    desk = Desk(sides=sides, command=f"embshift serve {folders[0].name}", **more)
    return Served(desk=desk, app=build_app(desk, port=PORT, token=TOKEN))
