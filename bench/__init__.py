"""Measures the chain from outside, against a plain proxy and against the promised limits. `python -m bench` runs all benchmarks."""
