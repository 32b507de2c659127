"""Sphinx extension: chapters run in parallel, are cached honestly, and fail loudly.

Jupyter Book runs notebooks one after another, keeps their outputs when only the package behind
them changed, and lets a build that failed once pass on the second try. This extension mends all
three, and writes the measured run times to `_build/timings.json`.
"""

import asyncio
import json
import os
import re
import shutil
import sys
import sysconfig
import time
from hashlib import sha256
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from sphinx.application import ENV_PICKLE_FILENAME
from sphinx.errors import SphinxError
from sphinx.util import logging

PARALLEL = 2
DRAWING = ("draw_figures.py", "narrow_figures.py")
DRAW_FIGURES = str(Path(__file__).with_name(DRAWING[0]))
DRAW = f"__import__('runpy').run_path({DRAW_FIGURES!r})"  # and leave no name behind
CACHES_KEPT = 4
PACKAGE_SUFFIXES = {".py", ".js", ".css", ".json"}
COLOURS = re.compile(r"\x1b\[[0-9;]*m")

logger = logging.getLogger(__name__)


class ExecutionFailed(SphinxError):
    category = "Execution failed"


def cache_key(root):
    """Return the digest of everything but its own cells that a chapter's outputs depend on."""
    root = Path(root)
    files = [path for path in (root / "vaecourse").rglob("*") if path.suffix in PACKAGE_SUFFIXES]
    files += [path for path in (root / "data").rglob("*") if path.is_file()]
    files += [root / "requirements.lock", *(root / "_ext" / name for name in DRAWING)]
    lines = [
        f"{path.relative_to(root).as_posix()} {sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(files)
    ]
    installed = Path(sysconfig.get_path("purelib")).glob("*.dist-info")
    lines += sorted(path.name for path in installed if not path.name.startswith("vaecourse-"))
    lines += [sys.version, os.environ.get("VAECOURSE_BUDGET", "reader")]
    return sha256("\n".join(lines).encode()).hexdigest()[:16]


def choose_cache(app, config):
    """Give every state of package, data and libraries a cache of its own.

    Sphinx compares the path with that of its last build, and reads all pages anew when it moved.
    """
    folder = Path(app.outdir).parent / ".jupyter_cache" / cache_key(app.srcdir)
    config.nb_execution_cache_path = str(folder)


def execute_notebooks(app, env, docnames):
    """Execute the notebooks among the pages that Sphinx is about to read, and cache them."""
    if app.config.nb_execution_mode != "cache":
        return
    cache = get_cache(app.config.nb_execution_cache_path)
    waiting = {}
    for docname in docnames:
        notebook = read_notebook(env, docname)
        if notebook is None:
            continue
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            waiting[docname] = notebook
    if waiting:
        logger.info("to execute, %d at a time: %s", PARALLEL, ", ".join(waiting))
        asyncio.run(execute_all(app, env, cache, waiting))


def read_notebook(env, docname):
    """Return the page as a notebook, read as myst-nb will read it, or None where it is none."""
    path = env.doc2path(docname)
    text = Path(path).read_text(encoding="utf-8")
    reader = create_nb_reader(path, env.myst_config, env.mystnb_config, text)
    return reader and reader.read(text)


async def execute_all(app, env, cache, notebooks):
    slots = asyncio.Semaphore(PARALLEL)
    failed = []

    async def execute(docname, notebook):
        path = env.doc2path(docname)
        client = NotebookClient(
            notebook,
            timeout=app.config.nb_execution_timeout,
            resources={"metadata": {"path": os.path.dirname(path)}},
            # timings inside the cells would change the digest that the cache is looked up by
            record_timing=False,
            # else each kernel warns that its ports, open on this machine alone, are not encrypted
            extra_arguments=["--log-level=ERROR", f"--IPKernelApp.exec_lines={DRAW}"],
        )
        async with slots:
            start = time.perf_counter()
            try:
                await client.async_execute()
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                failed.append(docname)
                logger.error("%s failed\n%s", docname, COLOURS.sub("", str(error)))
                return
            seconds = time.perf_counter() - start
        bundle = CacheBundleIn(notebook, path, data={"execution_seconds": seconds})
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        logger.info("%s executed in %.1f s", docname, seconds)

    await asyncio.gather(*(execute(*item) for item in notebooks.items()))
    if failed:
        raise ExecutionFailed(f"{', '.join(sorted(failed))}: the traceback stands above.")


def finish(app, exception):
    """Write the run times, drop old caches, and never let a warning be forgotten."""
    if exception is not None:
        return
    if app._warncount:
        # The warnings belong to pages that Sphinx would not read again: the next build, which
        # finds nothing changed, would pass. Without its memory it reads, and warns, again.
        (Path(app.doctreedir) / ENV_PICKLE_FILENAME).unlink(missing_ok=True)
    write_timings(app.env, Path(app.outdir).parent / "timings.json")
    drop_old_caches(Path(app.config.nb_execution_cache_path))


def drop_old_caches(current):
    """Keep the cache in use and those used last before it, so that going back is quick too."""
    current.mkdir(parents=True, exist_ok=True)
    os.utime(current)
    caches = sorted(current.parent.iterdir(), key=lambda path: path.stat().st_mtime)
    for old in caches[:-CACHES_KEPT]:
        shutil.rmtree(old)


def write_timings(env, path):
    """Write the seconds that each executed page took, as measured when it was last executed."""
    timings = {
        docname: round(metadata["exec_data"]["runtime"], 1)
        for docname, metadata in sorted(env.nb_metadata.items())
        if metadata.get("exec_data", {}).get("runtime") is not None
    }
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(timings, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)


def setup(app):
    # The kernels inherit these: one thread each, and no progress bars on paper.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["VAECOURSE_STRICT"] = "1"  # a solution that its check refuses fails the build
    app.connect("config-inited", choose_cache)
    app.connect("env-before-read-docs", execute_notebooks)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
