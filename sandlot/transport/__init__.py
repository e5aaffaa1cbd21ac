"""Drivers that move `wire.http` requests to a server and its answers back, over sockets.

What is decided is pure (`address`, `credentials`, `proxy`, `retry`); what happens on a connection is written
once, as generators that yield what they wait for (`waiting`, `stream`, `dial`, `conversation`, `courier`,
`talk`); `sync` and `aio` are the two ways to wait. `memory` answers from a script.
"""
