"""The walls: one file per wall, and `lockdown`, which names them in order."""
