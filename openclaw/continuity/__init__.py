"""What outlives a compaction, a crash or a reboot: snapshots, notes, the way back, and the brief."""
