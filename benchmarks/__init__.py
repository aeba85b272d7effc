"""Benchmark: how fast embshift is, compared with the plain procedure. Run ``python -m benchmarks``."""
