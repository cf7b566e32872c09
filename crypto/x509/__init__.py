"""What each role's certificate must say, and the path to the city root (RFC 5280)."""
