"""Boxes built by bubblewrap: a kernel shared with the host behind namespaces, Landlock and seccomp."""
