"""The middle tier, over real sockets."""
