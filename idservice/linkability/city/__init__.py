"""A simulated city that issues and shows cards through the real code, and records everything."""
