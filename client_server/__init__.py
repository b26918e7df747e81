"""The middle tier. It keeps sessions, conversations and turns, holds the credentials, and relays the frames."""
