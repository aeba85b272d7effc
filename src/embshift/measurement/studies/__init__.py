"""Studies: several runs, or second looks at one: sweep, match."""
