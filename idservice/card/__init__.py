"""The printed card: claims in, PDF out, nothing kept."""
