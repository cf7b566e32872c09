"""Time as a value: `crypto` reads no clock."""

from typing import NewType

UnixSeconds = NewType("UnixSeconds", int)
"""Seconds since 1970-01-01T00:00:00Z, leap seconds not counted (RFC 7519, NumericDate)."""
