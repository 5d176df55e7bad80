"""Thin front ends: they build a recipe and call run/."""
