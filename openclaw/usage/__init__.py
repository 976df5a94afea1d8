"""What agents used: the ledger of turns."""
