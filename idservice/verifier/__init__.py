"""A request for claims becomes an answer: accepted facts, or refused."""
