"""The checker of annotated shapes and types while testing."""

from beartype import BeartypeConf, beartype

# An int is welcome where a float is annotated, as Python's own rules for annotations have it.
typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))
