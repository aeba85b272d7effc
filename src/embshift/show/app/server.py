"""The server: the application on a socket, until it is interrupted."""

import socket

import uvicorn

from embshift.show.app.answers.requests import Desk
from embshift.show.app.application import build_app

__all__ = ["make_server", "run_server"]


def make_server(desk: Desk, *, port: int, token: str) -> uvicorn.Server:
    """Return the server of an app.

    Args:
        desk: What answers are made from.
        port: Port of its socket.
        token: What requests must show.
    """
    settings = uvicorn.Config(
        build_app(desk, port=port, token=token),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        http="h11",
        loop="asyncio",
        proxy_headers=False,  # a header must not say where a request comes from
        server_header=False,
        limit_concurrency=128,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(settings)


def run_server(desk: Desk, bound: socket.socket, *, port: int, token: str) -> None:
    """Serve until Ctrl-C or SIGTERM, which are raised again after the last answer.

    Args:
        desk: What answers are made from.
        bound: A socket that listens.
        port: Its port.
        token: What requests must show.
    """
    make_server(desk, port=port, token=token).run(sockets=[bound])
