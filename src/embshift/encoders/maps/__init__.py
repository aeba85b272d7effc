"""Maps: attention rows recorded during a forward pass."""
