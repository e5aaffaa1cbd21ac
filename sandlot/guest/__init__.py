"""What runs inside a box: the agent, its supervisors and the payload's side of the door.

Standard library only, relative imports only, Python 3.8 and later, no asyncio and no threads. It is shipped
as one archive of `sandlot/{__init__,guest,walls,wire/{__init__,frames,archive}}`, whose own `__main__.py` is

    from sandlot.guest.__main__ import main
    main()

`PYTHON -I -S agent.pyz` starts it. `PYTHON -I -S -c BOOTSTRAP agent.pyz` starts the same 4 ms sooner,
because the interpreter then does not import `runpy` and `pkgutil` first.

A plan with the wall `landlock` must name the archive, the interpreter's trees and `/proc` as readable: rooms
are imported when their first verb is asked for, and leftovers are found by /proc/self.
"""

BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); from sandlot.guest.__main__ import main; main(sys.argv[1])"
)
"""The text for `python -I -S -c`; its one argument is the archive, or the folder that holds `sandlot`."""
