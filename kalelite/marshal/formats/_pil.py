"""PIL images: the pixels beside the pickle, and what Pillow's own pickling drops.

That is the alpha of a palette, EXIF data set on the image, what an image read from a file knows
of its file (text, quantization tables), and all frames of an animation but the current one.
"""

from __future__ import annotations

import io
import pickle
from pickle import PickleBuffer
from typing import Any

from PIL import Image, ImagePalette

from kalelite.errors import UnmarshallableError
from kalelite.marshal.registry import register

_KEPT_APART = {
    "_im",
    "_mode",
    "_size",
    "palette",
    "info",
    "_exif",
    "readonly",
    "_readonly",
    "pyaccess",
}


def rebuild_image(
    cls: type[Image.Image],
    mode: str,
    size: tuple[int, int],
    pixels: Any,
    parts: dict[str, Any],
) -> Image.Image:
    """An image of one frame; `parts` are what it has beside its pixels."""
    made = Image.frombytes(mode, size, pixels) if 0 not in size else Image.new(mode, size)
    if palette := parts.get("palette"):
        core_mode, core, python_mode, python = palette
        made.putpalette(core, core_mode)
        made.load()
        made.palette = ImagePalette.ImagePalette(python_mode, python)
    if cls is not Image.Image:
        image = cls.__new__(cls)
        image.__dict__.update(made.__dict__)
        made = image
    made.__dict__.update(parts.get("attributes", {}))
    made.info = parts["info"]
    if "exif" in parts:
        made._exif = exif = Image.Exif()  # the public way needs the file
        exif.load(parts["exif"])
        exif._loaded = True
    return made


def rebuild_frames(file: Any, frame: int) -> Image.Image:
    """An animation, read from its file again."""
    image = Image.open(io.BytesIO(file))
    image.seek(frame)
    return image


def _can_travel(value: Any) -> bool:
    """Not the decoder's open files and inner objects."""
    if isinstance(value, io.IOBase):
        return False
    try:
        pickle.dumps(value, 5)
    except Exception:  # then it stays here
        return False
    return True


def _reduce_image(image: Image.Image) -> Any:
    cls = type(image)
    if not cls.__module__.startswith("PIL."):
        return NotImplemented  # a user's class defines itself what it is made of
    file = _file_of(image)
    image.load()
    if file is not None and rebuild_frames(file, 0).n_frames > 1:  # type: ignore[attr-defined]
        return _reduce_frames(image, file)
    parts: dict[str, Any] = {"info": image.info}
    if image.palette is not None and image.mode in {"P", "PA"}:
        core_mode = image.im.getpalettemode()
        core = image.im.getpalette(core_mode, core_mode)
        parts["palette"] = core_mode, core, image.palette.mode, image.palette.palette
    exif = image._exif  # the public way makes one from `info`
    if exif is not None and exif._loaded and len(exif):
        parts["exif"] = exif.tobytes()
    attributes = {k: v for k, v in image.__dict__.items() if k not in _KEPT_APART}
    if cls is not Image.Image:
        parts["attributes"] = {k: v for k, v in attributes.items() if _can_travel(v)} | {"tile": []}
    elif attributes:
        parts["attributes"] = attributes
    return rebuild_image, (cls, image.mode, image.size, PickleBuffer(image.tobytes()), parts)


def _file_of(image: Any) -> bytes | None:
    """The file of an image that may have several frames, if it is still open.

    Asking the image itself how many it has would undo what was painted on it.
    """
    if not (hasattr(type(image), "n_frames") or "n_frames" in vars(image)):
        return None
    stream = image.fp or vars(image).get("_fp")
    try:
        place = stream.tell()
        stream.seek(0)
        file: bytes = stream.read()
        stream.seek(place)
    except (AttributeError, OSError, ValueError):
        return None  # there is none, or it was closed
    return file


def _reduce_frames(image: Any, file: bytes) -> Any:
    """An animation shows the frames of a file; so its file is what is saved."""
    again = rebuild_frames(file, image.tell())
    if again.mode != image.mode or again.tobytes() != image.tobytes():
        raise UnmarshallableError(
            "an animation was changed after it was opened",
            hint="return a list of copies of its frames",
        )
    return rebuild_frames, (PickleBuffer(file), image.tell())


register(Image.Image, reduce=_reduce_image, subclasses=True)
