"""The tests. They run real servers over real sockets; what they share is in `tests.support`."""
