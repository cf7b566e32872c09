"""A witness's table through time."""
