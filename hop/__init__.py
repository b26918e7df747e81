"""How bytes move between hops: the connection to the hop above, its response as it arrives, and the relay to the reader below."""
