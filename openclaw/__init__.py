"""openclaw: many coding agents as isolated sub-agents on one shared tmux socket."""
