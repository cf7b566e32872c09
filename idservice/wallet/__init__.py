"""The reference holder: keeps, selects, presents."""
