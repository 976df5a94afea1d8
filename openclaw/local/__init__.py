"""The agent for local and API models: a program of its own, `python -m openclaw.local`, that runs in a window.

Nothing outside imports it, for it imports what takes seconds.
"""
