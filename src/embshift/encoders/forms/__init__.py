"""Encoders that are neither bundled nor a checkpoint of transformers: one form in a file."""
