"""Signed and encrypted JSON envelopes on allow-lists (RFC 7515, 7516, 7517, 8725)."""
