"""Patches to frames."""
