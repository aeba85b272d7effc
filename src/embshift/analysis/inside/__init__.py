"""What an explanation says of all its images: pooled shares, patches, layers, heads and maps."""
