"""The forms that a conversation is written in, read into the neutral one of `context.history` and written back."""
