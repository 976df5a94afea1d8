"""Which models there are, what they cost, and which one a task is given to."""
