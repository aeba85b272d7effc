"""Facts: what the sentences of the report are made from, each measured once."""
