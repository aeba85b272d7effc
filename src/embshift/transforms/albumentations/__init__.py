"""Albumentations: its classes as transforms."""
