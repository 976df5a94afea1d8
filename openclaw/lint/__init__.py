"""`audit code`: spawns in people's own files that lack scope, inject or isolation. Reads, runs nothing."""
