"""Files written whole or not at all."""

import json
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


def write_tensors(path, tensors, record=None):
    """Write named tensors to `path` as safetensors, whole or not at all.

    record: a dict of what JSON can hold, kept in the file's metadata.
    """
    from safetensors.torch import save

    metadata = {key: json.dumps(value) for key, value in (record or {}).items()}
    with replacing(path) as temporary:
        temporary.write_bytes(save({n: t.contiguous() for n, t in tensors.items()}, metadata))


def read_tensors(path):
    """The tensors and the record in a file that `write_tensors` wrote; ValueError for another."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
            return tensors, {key: json.loads(value) for key, value in metadata.items()}
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{Path(path).name} is not a training checkpoint ({error}).") from None


def below(tensors, prefix):
    """The tensors whose names start with `prefix`, without it."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
