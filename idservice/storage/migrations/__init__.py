"""Alembic scripts: a folder an office, a branch for its short-lived rows, one for the others."""
