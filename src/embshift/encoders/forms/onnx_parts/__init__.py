"""Parts of the ONNX form: its files, what a user states about them, the graph's ports, the input's values."""
