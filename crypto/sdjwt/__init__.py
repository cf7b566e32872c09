"""Selective disclosure for JSON Web Tokens (RFC 9901)."""
