"""Warm boxes: made ahead for each stock of an engine, claimed once, never reused."""
