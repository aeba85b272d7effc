"""Maps: attention rows taken from a forward pass, and pooled."""
