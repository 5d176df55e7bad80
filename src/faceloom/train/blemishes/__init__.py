"""Blemishes painted onto clean faces, and real pairs of before and after: what retouching is learned from."""
