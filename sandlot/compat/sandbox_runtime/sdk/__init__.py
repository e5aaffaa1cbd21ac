"""Sessions of a Sandbox Runtime service, for asynchronous programs."""
