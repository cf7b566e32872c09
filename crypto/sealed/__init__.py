"""Claims and index lists that only the resident can open."""
