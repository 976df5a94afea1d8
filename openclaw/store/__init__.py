"""What must be remembered: one SQLite file."""
