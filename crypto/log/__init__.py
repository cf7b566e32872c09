"""The Merkle log and its signed heads."""
