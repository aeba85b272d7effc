"""Text: results as tables for terminal, Markdown, CSV, JSON and LaTeX, and the words and numbers in them."""
