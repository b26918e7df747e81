"""Tests of `hop`."""
