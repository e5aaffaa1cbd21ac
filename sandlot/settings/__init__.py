"""What the operator chose: one dataclass, one loader, every value with its origin.

Precedence: flag > `SANDLOT_*` variable > a predecessor's variable > project file > user file > default.
This is the one room that reads environment variables and configuration files. Unknown names and bad values
are errors.

The project file is `sandlot.toml` in the working directory. It may come with code nobody has read, so
it may choose an environment and lower limits, but neither raise one above its default nor choose what
takes a wall down (engine, isolation, network), whom we talk to, or where a directory lies. A file that is
named (`serve --config`, `SANDLOT_CONFIG`) is the only one that is read, and no project's.
"""

from __future__ import annotations

from .places import PROJECT_FILE, cache_directory, config_files, directories
from .sources import load, use_file
from .surroundings import (
    installer_variables,
    listen_descriptor,
    notebook_client,
    notify_socket,
    proxy_variables,
    terminal_variables,
    watchdog_seconds,
)
from .values import DEFAULT_URL, Settings

__all__ = [
    "DEFAULT_URL",
    "PROJECT_FILE",
    "Settings",
    "cache_directory",
    "config_files",
    "directories",
    "installer_variables",
    "listen_descriptor",
    "load",
    "notebook_client",
    "notify_socket",
    "proxy_variables",
    "terminal_variables",
    "use_file",
    "watchdog_seconds",
]
