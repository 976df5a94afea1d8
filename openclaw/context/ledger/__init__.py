"""What a conversation was about, gathered without a model: facts, their text, and the text read back."""
