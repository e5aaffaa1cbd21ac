"""Attack programs, run inside boxes only. Importing one does nothing; see `sandlot.testing.hostile.stage`.

Each is a generator of `(name, broke, seen)`. Standard library of Python 3.8 only: a box has nothing else.
"""
