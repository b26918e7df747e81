"""What both ends of a hop agree on.

Standard library only, and nothing of ours is imported here: every other package may lean on this one. Bytes go in and
values come out; the only modules that know about an event loop are `log` (readers that wait) and `outbound`/`edge` (ASGI).
"""
