"""The life of a sub-agent."""
