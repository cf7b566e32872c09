"""The token status list: bits, signed list, reference."""
