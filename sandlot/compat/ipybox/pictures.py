"""Pictures that code showed, as images or files. They come from a box: nothing is read but kinds we name."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from sandlot.contracts.errors import Unsupported

from .errors import ExecutionError
from .messages import PICTURES, Picture

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}


def image_of(picture: Picture) -> Image:
    """It as Pillow has it, read whole. Raises ExecutionError for none, Unsupported without Pillow."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError:
        raise Unsupported(
            "the code showed a picture, and Pillow is not installed: pip install 'sandlot[ipybox]'"
        ) from None
    try:
        image = Image.open(io.BytesIO(_content(picture)), formats=[_FORMATS[picture.kind]])
        image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise _unreadable(picture, error) from error
    return image


def kept(folder: Path, picture: Picture) -> Path:
    """The new file in *folder*, which is made, that holds it. Raises ExecutionError, OSError."""
    content = _content(picture)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid4().hex[:8]}.{PICTURES[picture.kind]}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with open(descriptor, "wb") as file:
        file.write(content)
    return path


def _content(picture: Picture) -> bytes:
    try:
        return base64.b64decode(picture.data)
    except ValueError as error:
        raise _unreadable(picture, error) from error


def _unreadable(picture: Picture, error: Exception) -> ExecutionError:
    return ExecutionError(f"UnreadableImage: the code showed {picture.kind} that cannot be read: {error}")
