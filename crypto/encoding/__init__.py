"""Strict encodings: one spelling per value."""
