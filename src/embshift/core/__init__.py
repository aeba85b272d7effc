"""Core: types, errors, registries and other basics that all rooms share; imports none of them."""
