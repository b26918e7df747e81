"""The gateway. It knows teams and keys, runs calls, and says what they cost."""
