"""Tests of the commands that people run."""
