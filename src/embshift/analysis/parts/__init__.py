"""Parts: sums over many images that are added up chunk by chunk, in place of all values."""
