"""Comments that can be erased, and counts of complaints."""
