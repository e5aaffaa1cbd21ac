"""The numbers the project promises, measured: each beside its baselines, in the same run."""
