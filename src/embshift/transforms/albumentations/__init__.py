"""Classes of albumentations as transforms."""
