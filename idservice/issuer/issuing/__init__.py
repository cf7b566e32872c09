"""What is decided and recorded about a handle while nobody else acts on it."""
