"""The middle tier: sessions, conversations and turns; it holds the credentials and relays the frames."""
