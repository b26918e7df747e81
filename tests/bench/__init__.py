"""Tests of the benchmarks' own parts: what measures and what misbehaves must itself be right."""
