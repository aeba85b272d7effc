"""Pairing of runs: the same images under the same transforms, and how alike their pixels are."""
