"""Tests of `wire`. Every parser case is fed whole, byte by byte, and cut at random."""
