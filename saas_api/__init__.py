"""The gateway: it knows teams and keys, runs calls, and says what they cost."""
