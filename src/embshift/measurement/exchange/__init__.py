"""Exchange: views written for an encoder elsewhere, and the embeddings that come back."""
