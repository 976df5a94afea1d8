"""A loopback API for the real programs, and a network where nothing else can be reached."""
