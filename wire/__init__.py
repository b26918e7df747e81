"""What both ends of a hop agree on.

It uses the standard library only and imports no other package of ours, so every other package may import it. Bytes go in and
values come out. Only `log` knows about an event loop, because its readers wait.
"""
