"""The version of embshift, which a run folder records and refuses to mix with another."""

__all__ = ["__version__"]

__version__ = "0.1.0"
