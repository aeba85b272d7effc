"""One module for each tool that opens an export."""
