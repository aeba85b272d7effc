"""How fast embshift is, against the procedure done the plain way: ``python -m benchmarks``."""
