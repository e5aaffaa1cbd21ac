"""Named, read-only Python installations that boxes see; never the one this service runs in."""
