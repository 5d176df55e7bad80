"""Retouching by words: what can be asked for, and where on the face that is."""
