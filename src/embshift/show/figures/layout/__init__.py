"""Layout: what plots are put together from: panels, labels, scales, colours."""
