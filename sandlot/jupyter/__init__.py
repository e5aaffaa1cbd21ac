"""The Jupyter messages of a kernel that is a context: pure translation, and a driver that is lent all I/O."""
