"""The road from an offer to credentials that may be kept."""
