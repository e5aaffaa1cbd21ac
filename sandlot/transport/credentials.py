"""The key of a server: what may be one, and over what it may travel."""

from __future__ import annotations

import re
from typing import Dict, Optional, Union

from sandlot.contracts.errors import InvalidSpec

from .address import Address

_KEY = re.compile(r"[\x21-\x7e]+")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


class Key:
    """A secret that shows itself in one header and nowhere else."""

    def __init__(self, text: str) -> None:
        """Keep *text*; raises InvalidSpec, without it, when no header could carry it."""
        if not _KEY.fullmatch(text):
            raise InvalidSpec(
                "the key holds blanks, controls or other than ASCII: copy it again, without newline"
            )
        self._text = text

    def fields(self) -> Dict[str, str]:
        """The header that proves who asks (RFC 6750, 2.1)."""
        return {"Authorization": f"Bearer {self._text}"}


class Signature(Key):
    """What a server of others wants to see in that header, in a scheme of its own (RFC 9110, 11.6.2)."""

    def __init__(self, value: str) -> None:
        """Keep the whole *value*; raises InvalidSpec, without it, when no header could carry it."""
        if not _VALUE.fullmatch(value):
            raise InvalidSpec("the value of Authorization holds controls or other than ASCII")
        self._text = value

    def fields(self) -> Dict[str, str]:
        return {"Authorization": self._text}


def key_for(address: Address, key: Union[str, Key, None], *, allow_plain: bool) -> Optional[Key]:
    """*key* as it may travel to *address*; raises InvalidSpec when anyone on the way could read it."""
    if key is None:
        return None
    if address.scheme == "http" and not address.is_loopback and not allow_plain:
        raise InvalidSpec(
            f"the key would travel to {address} in clear text: use https, a tunnel to a loopback address,"
            " or allow_plain=True in a network you trust"
        )
    return key if isinstance(key, Key) else Key(key)
