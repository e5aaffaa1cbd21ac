"""The bytes on every channel: frames to the agent, archives in both directions.

Sans-IO: callers bring the bytes, nothing here opens, sleeps or reads a clock. `frozen`, `json_object` and
`frames` are shipped into every box and imported at its start, so they import almost nothing; the archive
modules (`archive`, `archive_rules`, `tar_header`, `tar_writer`, `expander`) are imported on first use.
"""
