"""The program of a context: an interpreter in the payload that runs cells and keeps their state.

It begins as every program of a user does, behind all walls, and nobody believes a word it says. Requests come
as lines of JSON on what was its standard input, events go out as lines of JSON on the descriptor of values.
Its modules are loaded before the walls go up: behind them the agent's archive may be out of reach.
"""
