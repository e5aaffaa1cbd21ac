"""Host files as tar streams, both ways: what `put` and `get` copy, wherever the sandbox runs."""
