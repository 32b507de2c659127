"""Files written whole or not at all; and files of others, read without trust in them."""

import glob
import hashlib
import json
import os
from contextlib import contextmanager
from pathlib import Path


def plain(text):
    """`text` on one line, not too long, and what could command a terminal written as an escape."""
    line = " ".join(str(text).split())
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return safe if len(safe) <= 200 else safe[:197] + "..."


def file_path(path):
    """`path` as a Path; ValueError for what is no name of a file, "." say."""
    if not isinstance(path, str | os.PathLike) or Path(path).name in ("", ".."):
        raise ValueError(f"{plain(repr(path))} is not the name of a file.")
    return Path(path)


def check_writable(path):
    """Make the folder of `path`; raise ValueError if nothing of that name can be written there."""
    path = file_path(path)
    try:
        try:
            _touch(path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            _touch(path)
    except OSError as error:
        folder = plain(os.path.abspath(path.parent))
        raise ValueError(f"Cannot write in the folder {folder}: {error.strerror}.") from None


def _touch(path):
    temporary = _temporary(path)
    temporary.touch()
    temporary.unlink()


def _temporary(path):
    return path.with_name(f".{path.name}.{os.getpid()}.part")


@contextmanager
def replacing(path):
    """A temporary name beside `path`, moved onto it when the block ends well, removed otherwise.

    What a killed writer of `path` has left beside it goes too. An OSError names `path`.
    """
    path = Path(path)
    temporary = _temporary(path)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        if left != temporary and not _runs(left.name.split(".")[-2]):
            left.unlink(missing_ok=True)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _runs(pid):
    """Whether there may be a process of that number on this machine."""
    if os.name != "posix" or not pid.isdecimal():
        return True
    try:
        os.kill(int(pid), 0)  # sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def write_text(path, text):
    """Write `text` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path):
    """What the JSON file `path` holds; ValueError, one sentence, where it cannot be read."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        return parse_json(text)
    except OSError as error:
        raise ValueError(f"Cannot read {plain(path)}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"{plain(path.name)} is not text in UTF-8.") from None
    except RecursionError:
        raise ValueError(f"{plain(path.name)} is nested too deeply to be read.") from None
    except ValueError as error:
        raise ValueError(f"{plain(path.name)} is not JSON: {plain(error)}.") from None


def parse_json(text):
    """What JSON says; ValueError for what no file of ours holds, RecursionError for deep ones."""
    return json.loads(text, object_pairs_hook=_each_once, parse_int=_integer)


def _each_once(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {json.dumps(twice)} is there twice")
    return found


def _integer(digits):
    if len(digits) > 1_000:
        raise ValueError(f"a number has {len(digits):,} digits")
    return int(digits)


def write_tensors(path, tensors, record=None):
    """Write named tensors to `path` as safetensors, whole or not at all.

    record: a dict of what JSON can hold, kept in the file's metadata.
    """
    content = tensor_bytes(tensors, record)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def tensor_bytes(tensors, record=None):
    """What `write_tensors` writes."""
    from safetensors.torch import save

    metadata = {key: json.dumps(value) for key, value in (record or {}).items()}
    return save({n: t.contiguous() for n, t in tensors.items()}, metadata)


def read_tensors(path):
    """The tensors and the record in a file that `write_tensors` wrote; ValueError for another."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
            return tensors, {key: json.loads(value) for key, value in metadata.items()}
    except (SafetensorError, ValueError, RecursionError) as error:
        name = plain(Path(path).name)
        raise ValueError(f"{name} is not a file of tensors ({plain(error)}).") from None


def below(tensors, prefix):
    """The tensors whose names start with `prefix`, without it."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def listed(value):
    """What `json.dumps` asks for what it does not know: the numbers of a tensor or an array."""
    if not hasattr(value, "tolist"):
        raise TypeError(f"it holds a {type(value).__name__}")
    return value.tolist()


def digest(tensors, record=None):
    """SHA-256 over named tensors, their kinds and shapes included, and what JSON holds."""
    total = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        total.update(f"\0{name} {array.dtype} {array.shape}\0".encode())
        total.update(array.data)
    return total.hexdigest()
