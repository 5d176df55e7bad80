"""Metrics: pure functions on arrays, each with paper, formula, network, preprocessing and direction."""
