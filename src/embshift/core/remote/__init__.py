"""Objects at addresses: in stores, on web servers and on the Hugging Face hub, read by ranges."""

from embshift.core.remote.access import ACCESS, NO_ACCESS, Access, current_access, grant_access
from embshift.core.remote.addresses import check_remote_address, is_remote_address, redact_address
from embshift.core.remote.range_file import RangeFile
from embshift.core.remote.reading import list_addresses, pin_address, read_address, stat_address
from embshift.core.stores import StoredObject

__all__ = [
    "ACCESS",
    "NO_ACCESS",
    "Access",
    "RangeFile",
    "StoredObject",
    "check_remote_address",
    "current_access",
    "grant_access",
    "is_remote_address",
    "list_addresses",
    "pin_address",
    "read_address",
    "redact_address",
    "stat_address",
]
