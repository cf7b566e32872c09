"""The register's process: its folder, its log, its counter."""
