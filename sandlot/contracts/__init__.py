"""The nouns, verbs and errors of sandlot: plain values, no I/O, no clock, no environment.

Everything here runs on Python 3.8 and imports nothing else of sandlot.
"""
