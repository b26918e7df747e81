"""The built-in provider: a simulated model behind a real HTTP server that speaks OpenAI's dialect.

It makes the whole chain real without a key: real sockets, real pacing, real faults. What it says is scripted, and the same
for the same seed.
"""
