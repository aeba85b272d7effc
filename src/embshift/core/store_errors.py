"""What a store's refusals mean, and what to do about them."""

import re

from embshift.core.errors import StoreError

__all__ = [
    "ObjectChangedError",
    "ObjectExistsError",
    "StoreRefusedError",
    "explain_error",
    "explain_missing",
    "first_line",
]


_QUERY = re.compile(r"\?[^\s]*")


class ObjectExistsError(StoreError):
    """An object was to be created, and is there."""


class ObjectChangedError(StoreError):
    """An object is another one than it was."""


class StoreRefusedError(StoreError):
    """A store does not let these keys do something, or has no such bucket; trying again does not help."""


def explain_error(address: str, error: Exception, /) -> StoreError:
    """Return our error for one of obstore's; its messages hold addresses and answers, but no keys."""
    name, said = type(error).__name__, str(error)
    if "NoSuchBucket" in said:
        return explain_missing(address, "/".join(address.split("/")[:3]))
    if "object with invalid path" in said:
        return StoreError(f"{address}: {_ODD_KEY} ({first_line(error).rpartition('Path ')[2]})")
    if any(place in said for place in _ASKED_FOR_KEYS):
        return StoreRefusedError(f"{address}: {_NO_KEYS}")
    if name in _REFUSED:
        return StoreRefusedError(f"{address}: {_REFUSED[name]}")
    kind = {"AlreadyExistsError": ObjectExistsError, "PreconditionError": ObjectChangedError}
    return kind.get(name, StoreError)(f"{address}: {first_line(error)}")


def explain_missing(address: str, root: str, /) -> StoreRefusedError:
    """Return the error for a bucket that is not there."""
    return StoreRefusedError(f"{address}: there is no {root}; create it, or correct the name")


_ASKED_FOR_KEYS = ("169.254.169.254", "169.254.170.2", "metadata.google.internal")
"""Where clients ask a machine in a cloud for its role's keys, once they have found no others."""

_NO_KEYS = (
    "no keys were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or those of your store, in the"
    " environment"
)

_ODD_KEY = (
    "a key below it has an empty part, '.' or '..', beside which nothing can be listed; give the folders"
    " beside that key, or rename it"
)

_REFUSED = {
    "PermissionDeniedError": "the store refuses access (403): these keys may not do this; ask for a policy"
    " that allows to list, read, write and delete below this address",
    "UnauthenticatedError": "the store does not accept the keys (401); correct those in the environment, such"
    " as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}
"""What is said where trying again does not help, by the class of obstore's error."""


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, without what requests ask, which may hold a signature."""
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return _QUERY.sub("", said)[:300]
