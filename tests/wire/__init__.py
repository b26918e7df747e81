"""Tests of `wire`: every parser case fed whole, byte by byte and cut at random; everything that has a socket over real ones."""
