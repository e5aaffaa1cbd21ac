"""Boxes forked from an interpreter that has loaded its packages: they stand before anybody asks for them."""
