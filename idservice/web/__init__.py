"""What every counter shares: bodies in, problems out, an allow-list for logs."""
