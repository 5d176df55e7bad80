"""A benchmark of part transfer: build it from videos, run methods over it, score what they made."""
