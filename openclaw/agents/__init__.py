"""The programs that can run in a window."""
