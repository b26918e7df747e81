"""Measures the chain from outside, against a plain proxy and against the limits it promises. `python -m bench` runs all of it."""
