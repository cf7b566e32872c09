"""A minimal-data municipal ID service: offices around one pure verification core."""
