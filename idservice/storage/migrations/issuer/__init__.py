"""The issuer's tables through time."""
