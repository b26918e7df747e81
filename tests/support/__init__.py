"""What tests of several packages share: real servers, the whole chain, and readers that see when each byte came."""
