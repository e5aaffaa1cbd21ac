"""Engines: ways to start an agent behind walls. One folder per technology; they never meet."""
