"""The server: the Service of this machine over HTTP, spoken in one or more dialects."""
