"""The verifier's tables through time."""
