"""The tests. They run real servers over real sockets. Shared code is in `tests.support`."""
