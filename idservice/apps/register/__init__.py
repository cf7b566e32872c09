"""A city's register in its folder: founded, added to, and published in the trust bundle."""
