"""Everything that crosses a wire: frames to the agent, archives, and the native HTTP API.

Sans-IO: callers bring the bytes, nothing here opens, sleeps or reads a clock. `frozen`, `json_object` and
`frames` are shipped into every box and imported at its start, so they import almost nothing; the archive
modules (`archive`, `archive_rules`, `tar_header`, `tar_writer`, `expander`) are imported on first use.

The rest is for host and clients: `http` has requests and answers, `values` their JSON, `events` and
`problems` what streams and errors look like, `flows` each operation as a conversation.
"""
