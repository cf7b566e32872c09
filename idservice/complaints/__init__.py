"""Complaints that prove themselves: what a wallet exports and the register's box checks."""
