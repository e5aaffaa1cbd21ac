"""Every operation of the native HTTP API once, without I/O: what to send, and what the answer means.

A `Flow` is a generator that yields an `Ask` and is sent the `Answer`, until it returns a typed value. A
`Stream` is one request whose answer comes bit by bit. The client room drives both over a transport, once with
threads and once with tasks; nothing else is written twice.
"""
