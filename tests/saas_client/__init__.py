"""The typed client, over real sockets."""
