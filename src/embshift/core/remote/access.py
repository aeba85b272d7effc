"""Access: whether this part of the program may read from addresses at all, and from private ones."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from embshift.core.errors import UsageError

__all__ = [
    "ACCESS",
    "NO_ACCESS",
    "Access",
    "allow_private_addresses",
    "check_access",
    "current_access",
    "grant_access",
    "grant_sources",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What may be read from other machines.

    Attributes:
        remote: Whether anything may be.
        private: Whether web addresses in private networks and on this machine may be.
    """

    remote: bool = False
    private: bool = False


NO_ACCESS = Access()
ACCESS = Access(remote=True)
"""What sources have that the user named."""

# A new thread and a new process start without access: whoever starts one hands it over.
_granted = ContextVar("access", default=NO_ACCESS)


def current_access() -> Access:
    """Return what may be read here."""
    return _granted.get()


@contextmanager
def grant_access(access: Access, /) -> Generator[None]:
    """Let what runs inside read what an access allows."""
    before = _granted.set(access)
    try:
        yield
    finally:
        _granted.reset(before)


@contextmanager
def grant_sources() -> Generator[None]:
    """Let addresses be read that the user named."""
    with grant_access(replace(current_access(), remote=True)):
        yield


@contextmanager
def allow_private_addresses(allowed: bool, /) -> Generator[None]:
    """Let addresses in private networks be read inside, where any are; what was allowed before stays so."""
    before = current_access()
    with grant_access(replace(before, private=before.private or allowed)):
        yield


def check_access(shown: str, /) -> Access:
    """Return what may be read here.

    Args:
        shown: The address, for the error.

    Raises:
        UsageError: If it is nothing.
    """
    found = _granted.get()
    if not found.remote:
        raise UsageError(
            f"{shown} is on another machine, and is not read unasked, since anyone may have written its"
            " address into the run; if you trust it, give --allow-remote (allow_remote=True)"
        )
    return found
