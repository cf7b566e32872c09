"""Compares what the documents say with what is there; imports no office."""
