"""Text: summaries as tables for terminal, Markdown, CSV, JSON and LaTeX."""
