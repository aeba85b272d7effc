"""What happens inside a network: exact shares of its components in a shift, patches, maps and profiles."""

from embshift.encoders.inside.network import WITHOUT_NETWORK, Inside, open_inside
from embshift.encoders.inside.observed import count_bytes

__all__ = ["WITHOUT_NETWORK", "Inside", "count_bytes", "open_inside"]
