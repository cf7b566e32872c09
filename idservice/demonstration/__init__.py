"""A whole city on one machine, for somebody to watch: each office its own process."""
