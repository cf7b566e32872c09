"""The pairing-friendly curve BLS12-381, by other people's well-kept code."""
