"""Everything that crosses a wire: the agent's link, archives, and the native HTTP API.

Sans-IO: callers bring the bytes, nothing here opens, sleeps or reads a clock.

- Shipped into every box, so they import almost nothing: `frozen`, `json_object` and `frames` at the agent's
  start; `archive`, `archive_rules`, `expander`, `tar_header` and `tar_writer` on first use.
- HTTP itself: `http` has requests and answers as values, `http1_request`, `http1` and `websocket` their
  bytes, `gzip_writer` packs a download.
- What the API says: `values` gathers the JSON of `specs`, `commands`, `results`, `statuses` and `entries`,
  which `fields` reads strictly and `times` dates; `events` are streams, `problems` errors.
- `flows`: every operation as a conversation, for clients.
"""
