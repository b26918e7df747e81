"""Tests of the benchmarks' own parts: the load generator, the scripted provider and the report."""
