"""Embeddings: what shifts amount to, measured on the embeddings themselves."""
