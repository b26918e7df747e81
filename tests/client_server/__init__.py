"""Tests of the middle tier over real sockets."""
