"""tmux and nothing else: the shared socket, its server, the windows of sub-agents, and attaching to them."""
