"""Objects at addresses: in stores, on web servers and on the Hugging Face hub, read by ranges."""

from embshift.core.remote.access import (
    ACCESS,
    NO_ACCESS,
    Access,
    allow_private_addresses,
    current_access,
    grant_access,
    grant_sources,
)
from embshift.core.remote.addresses import (
    check_listed_address,
    check_remote_address,
    is_remote_address,
    join_address,
    redact_address,
)
from embshift.core.remote.range_file import RangeFile
from embshift.core.remote.reading import list_addresses, pin_address, read_address, stat_address
from embshift.core.stores import StoredObject

__all__ = [
    "ACCESS",
    "NO_ACCESS",
    "Access",
    "RangeFile",
    "StoredObject",
    "allow_private_addresses",
    "check_listed_address",
    "check_remote_address",
    "current_access",
    "grant_access",
    "grant_sources",
    "is_remote_address",
    "join_address",
    "list_addresses",
    "pin_address",
    "read_address",
    "redact_address",
    "stat_address",
]
