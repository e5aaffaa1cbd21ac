"""The command `sandbox-run`."""
