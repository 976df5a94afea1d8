"""The agent for local and API models: a program of its own, `python -m openclaw.local`, that runs in a window.

Nothing outside imports it but `roles.ask`, late: it imports what takes seconds.
"""
