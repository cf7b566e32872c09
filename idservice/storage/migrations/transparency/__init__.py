"""The log's tables through time."""
