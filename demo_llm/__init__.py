"""The built-in provider: a simulated model behind a real HTTP server that speaks OpenAI's dialect.

It makes the whole chain real without a key: real sockets, real pacing, real faults. Its answers are scripted, and the same seed
gives the same answer.
"""
