"""The shared terminal: tmux and nothing else."""
