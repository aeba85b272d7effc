"""The version of embshift; a run folder records it and cannot be continued by another version."""

__all__ = ["__version__"]

__version__ = "0.1.0"
