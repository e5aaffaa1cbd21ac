"""Handlers in sandboxes of this machine."""
