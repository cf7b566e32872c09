"""The processes of the log: the log itself, and a witness for anybody's logs."""
