"""Scheduled work: jobs, when they are due, their runs in isolated sub-agents, and who is told what came of them."""
