"""Helpers for the tests of several packages: real servers, the whole chain, and readers that note when each byte came."""
