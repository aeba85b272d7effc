"""Embeddings: measurements on the embeddings themselves, beyond the shift table."""
