"""The chance that a caller lends: `crypto` draws none itself."""

from collections.abc import Callable

RandomBytes = Callable[[int], bytes]
"""Returns as many uniformly random bytes as asked for."""
