"""Sandboxes that have names: created once, leased, remembered, ended; whatever engine makes their boxes."""
