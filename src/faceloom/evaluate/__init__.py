"""Metrics, benchmarks and speed."""
