"""SQLAlchemy adapters, one module and one database per office."""
