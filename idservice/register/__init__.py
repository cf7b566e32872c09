"""What is in force, and why: the charter, changes to it, and the fold over the public log."""
