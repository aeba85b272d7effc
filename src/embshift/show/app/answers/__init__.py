"""Answers of the app, one module each: numbers and images as JSON, PNG and binary frames."""
