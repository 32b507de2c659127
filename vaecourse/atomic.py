"""Files written whole or not at all."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path


def check_writable(path):
    """Make the folder of `path`; raise ValueError if nothing can be written there."""
    folder = Path(path).resolve().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"Cannot write in the folder {folder}: {error.strerror}.") from None


@contextmanager
def replacing(path):
    """A temporary name beside `path`, moved onto it when the block ends well, removed otherwise."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text):
    """Write `text` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_tensors(path, tensors, metadata=None):
    """Write named tensors to `path` as safetensors, whole or not at all."""
    from safetensors.torch import save

    with replacing(path) as temporary:
        temporary.write_bytes(save({n: t.contiguous() for n, t in tensors.items()}, metadata))
