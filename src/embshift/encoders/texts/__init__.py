"""The text side of encoders: texts to vectors in the space of the image embeddings."""
