"""Trust: what a run's record names is not run, and not sent to, unless the user says so."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from embshift.core.errors import UsageError
from embshift.core.remote import Access, current_access, is_remote_address, redact_address
from embshift.core.types import FrozenRow
from embshift.measurement.plan.files import load_plan
from embshift.measurement.plan.plan import Plan
from embshift.runs.addresses import is_mirror
from embshift.runs.places import plan_path
from embshift.runs.record import RECORD, VIEWS

__all__ = [
    "NO_TRUST",
    "Trust",
    "check_remote_images",
    "check_trust",
    "find_remote_image",
    "load_trusted_plan",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a command may do that a run's record asks for, which anyone may have written.

    Attributes:
        code: Whether functions and objects that it names are imported and called.
        remote: Whether images are sent to services that it names, and read from other machines.
        private: Whether they are also read from web addresses in private networks and on this machine.
    """

    code: bool = False
    remote: bool = False
    private: bool = False

    def access(self) -> Access:
        """Return what may be read from other machines."""
        return Access(remote=self.remote, private=self.private or current_access().private)


NO_TRUST = Trust()


def check_trust(plan: Plan, trust: Trust, /, *, where: str) -> None:
    """Check that a recorded plan asks for nothing that the user did not allow.

    Args:
        plan: The plan.
        trust: What is allowed.
        where: Where it was recorded, for the error.

    Raises:
        UsageError: If it names code, a service or sources on other machines, and that is not allowed.
    """
    _check_sources(plan, trust, where=where)
    wanted = () if trust.code else tuple(_list_code(plan))
    if wanted:
        raise UsageError(
            f"{where} names Python code, {', '.join(wanted)}, which is not run unasked: anyone may have"
            " written the record; if you trust it, give --allow-code (allow_code=True)"
        )
    if _find_trust(plan) == "remote" and not trust.remote:
        raise UsageError(
            f"{where} names the service {plan.encoder}, to which no image is sent unasked: anyone may have"
            " written the record; if you trust it, give --allow-remote (allow_remote=True)"
        )


def check_remote_images(rows: Iterable[FrozenRow], trust: Trust, /, *, where: str) -> None:
    """Check that a recorded listing names no image on another machine, unless the user allows it.

    Raises:
        UsageError: If it does, and that is not allowed.
    """
    named = None if trust.remote else find_remote_image(rows)
    if named is not None:
        raise UsageError(
            f"{where} names images on other machines, first {redact_address(named)}, which are"
            " not read unasked: anyone may have written the listing; if you trust it, give --allow-remote"
            " (allow_remote=True)"
        )


def find_remote_image(rows: Iterable[FrozenRow], /) -> str | None:
    """Return the first address on another machine that a listing names; None if it names none."""
    paths = (row.record.path for row in rows)
    return next((path for path in paths if path is not None and is_remote_address(path)), None)


def _check_sources(plan: Plan, trust: Trust, *, where: str) -> None:
    named = next((source for source in plan.sources if is_remote_address(source)), None)
    if named is not None and not trust.remote:
        raise UsageError(
            f"{where} names images on another machine, {redact_address(named)}, which are not read unasked:"
            " anyone may have written the record; if you trust it, give --allow-remote (allow_remote=True)"
        )


def load_trusted_plan(path: str | Path, trust: Trust, /, *, encodes: bool = True) -> Plan:
    """Read a plan from TOML; one in a run folder or beside views may ask for no more than is allowed.

    Args:
        path: The file.
        trust: What is allowed.
        encodes: Whether the plan's encoder is going to be asked.

    Raises:
        PlanError: If the plan cannot be used.
        UsageError: If it lies in such a folder, names code or a service, and that is not allowed.
    """
    folder = plan_path(path).parent
    if is_mirror(folder) or any((folder / name).exists() for name in (RECORD, VIEWS)):
        plan = load_plan(path, build=False)
        _check_sources(plan, trust, where=str(path))
        # Nothing is sent to a service that is not asked.
        check_trust(plan, trust if encodes else replace(trust, remote=True), where=str(path))
    return load_plan(path)


def _list_code(plan: Plan) -> Iterator[str]:
    yield from (one.target for one in plan.transforms if one.kind == "function")
    if _find_trust(plan) == "code":
        yield plan.encoder


def _find_trust(plan: Plan) -> str:
    from embshift.encoders.open import find_trust  # imports torch

    return find_trust(plan.encoder)
