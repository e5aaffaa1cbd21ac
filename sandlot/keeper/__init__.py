"""The keeper: the small process that starts, limits and kills boxes, and its asyncio client.

Nothing is re-exported here: the keeper process imports this package and must not pay for asyncio.
"""
