"""Torch modules only: no file access, no video, no global state."""
