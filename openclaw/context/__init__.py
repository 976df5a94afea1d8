"""Tokens, and later budgets, the window manager and compaction."""
