"""One module per command: arguments in, text out, exit code."""
