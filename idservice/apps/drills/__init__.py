"""Drills: what happens to a city at the end of its charter, and in its worst weeks."""
