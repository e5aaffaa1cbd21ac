"""The wire formats the server speaks, a folder each; they never meet."""
