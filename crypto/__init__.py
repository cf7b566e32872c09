"""Pure cryptography for credentials: bytes and values in, values out. Knows no service."""
