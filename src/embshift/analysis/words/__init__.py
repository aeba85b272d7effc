"""Words: what the shifts of a transform point to, in words, labels and captions."""
