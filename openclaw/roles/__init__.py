"""Roles: prompt profiles in markdown, and `run_role`, which asks a cheap model in one of them, silently."""
