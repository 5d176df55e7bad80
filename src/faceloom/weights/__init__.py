"""Pretrained weights: what exists, where it is, and whether it is what it claims to be."""
