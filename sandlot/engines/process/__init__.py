"""Boxes that are processes of this host: limits, Landlock and seccomp, and no boundary promised."""
