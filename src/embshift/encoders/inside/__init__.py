"""What happens inside a network: exact shares of its components in a shift, patches, maps and profiles."""

from embshift.encoders.inside.network import Inside, open_inside

__all__ = ["Inside", "open_inside"]
