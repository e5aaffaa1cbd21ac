"""What goes into a handler's run and what comes out of it."""
