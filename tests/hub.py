"""The course on JupyterHub, for `make classroom`: two students at once, each in a browser.

The settings are those that `administrator.md` gives for hubs without containers; `ADDED` is what a
test needs beside them: ports and folders of its own, users who are not users of this machine.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright
from widget_page import drag

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "_ext"))
from browser import FLAGS, find_chromium  # noqa: E402

STUDENTS = {"ada": -60, "emmy": -30}  # pixels by which each drags the correlation
HANDLE = ".ce-price .vw-handle"
STUB = "Still open: your function returns nothing yet."
PASSWORD = "not a secret"
MINUTES = 10  # before a step is given up
MARK = "VAECOURSE_CLASSROOM"  # in the environment of every process that the hub starts
ADDED = """
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = {password!r}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r}
c.Spawner.args = ["--allow-root"]
c.Spawner.start_timeout = c.Spawner.http_timeout = {seconds}
c.Spawner.environment |= {environment!r}
c.JupyterHub.bind_url = "http://127.0.0.1:{ports[0]}"
c.JupyterHub.hub_port = {ports[1]}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{ports[2]}"
"""


def recommended():
    """The settings of the page for administrators, for JupyterHub with its local spawner."""
    page = (ROOT / "administrator.md").read_text(encoding="utf-8")
    section = page.split("## Hubs without containers")[1].split("\n## ")[0]
    (settings,) = re.findall(r"```python\n(.*?)```", section, re.S)
    return settings


def free_ports(count):
    """Numbers of ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [each.getsockname()[1] for each in sockets]


def kill_marked(mark):
    """End every process with this mark: servers and kernels lead sessions of their own."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark:
                process.kill()


@contextmanager
def running_hub(programs, place, notebook):
    """The address of a hub whose students have this notebook; none of its processes stays."""
    mark = str(place)
    kill_marked(mark)  # of a test that was itself killed
    shutil.rmtree(place, ignore_errors=True)
    command = [sys.executable, ROOT / "_ext" / "write_students.py"]
    for student in STUDENTS:
        subprocess.run([*command, place / student / "vaecourse", notebook[:2]], check=True)
    ports = free_ports(3)
    names = ("VAECOURSE_BUDGET", "TQDM_DISABLE")
    added = ADDED.format(
        password=PASSWORD,
        homes=f"{place}/{{username}}",
        seconds=60 * MINUTES,
        environment={name: os.environ[name] for name in names} | {MARK: mark},
        ports=ports,
    )
    settings = recommended().replace("/srv/vaecourse/.venv/bin", str(programs))
    (place / "jupyterhub_config.py").write_text(settings + added, encoding="utf-8")
    with open(place / "hub.log", "w", encoding="utf-8") as log:
        hub = subprocess.Popen(
            [programs / "jupyterhub"],
            cwd=place,
            env=os.environ | {MARK: mark},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{ports[0]}/"
        with step("JupyterHub starts"):
            wait_until(lambda: hub.poll() is not None or answers(address + "hub/health"), "it")
            assert hub.poll() is None, "JupyterHub ended at once"
        yield address
    except BaseException:
        lines = (place / "hub.log").read_text(encoding="utf-8").splitlines()
        print(*[line for line in lines if "ServerApp] 20" not in line][-20:], sep="\n")
        raise
    finally:
        hub.terminate()
        with suppress(subprocess.TimeoutExpired):
            hub.wait(timeout=60)
        kill_marked(mark)
        hub.wait()


@contextmanager
def step(words):
    """Say what is tried now; a failure ends with these words too."""
    print(f"The hub: {words}.", flush=True)
    try:
        yield
    except Exception as error:
        error.add_note(f"The classroom failed here: {words}.")
        raise


def answers(address):
    """Whether there is a page at this address."""
    with suppress(OSError):
        return urllib.request.urlopen(address).status == 200
    return False


def wait_until(done, what):
    """Ask every second; raise TimeoutError after `MINUTES`."""
    end = time.monotonic() + 60 * MINUTES
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} took longer than {MINUTES} minutes")
        time.sleep(1)


def log_in(page, address, student):
    """Sign in; the hub starts this student's server and shows the folder of the course."""
    page.goto(address)
    page.locator("input[name=username]").fill(student)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[type=submit]").click()
    page.wait_for_url(f"**/user/{student}/lab/tree/vaecourse**")


def run_all(page, notebook):
    """Open the notebook out of the list of files and run it, by the menu."""
    page.locator(".jp-DirListing-item").get_by_text(notebook).dblclick()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # the kernel is there
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def finished(page, path):
    """Whether every cell of the notebook, saved, has run; raise AssertionError for a traceback."""
    page.keyboard.press("ControlOrMeta+S")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    cells = [cell for cell in cells if cell["cell_type"] == "code"]
    for cell in cells:
        for output in cell["outputs"]:
            assert output["output_type"] != "error", (path, cell["id"], output["evalue"])
    return all(cell["execution_count"] for cell in cells if "".join(cell["source"]).strip())


def shown(page):
    """The numbers of the explorer."""
    return page.locator(".vw-numbers tbody td").all_inner_texts()


def main(programs, place, notebook):
    """Two students log in, run this notebook and drag its CorrelationExplorer."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("The classroom was told to stop."))
    with (
        running_hub(programs, place, notebook) as address,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS) as browser,
    ):
        pages = {student: browser.new_context().new_page() for student in STUDENTS}
        for student, page in pages.items():
            page.set_default_timeout(60_000 * MINUTES)
            with step(f"{student} logs in"):
                log_in(page, address, student)
            with step(f"{student} opens {notebook} and runs all"):
                run_all(page, notebook)
        for student, page in pages.items():
            path = place / student / "vaecourse" / notebook
            with step(f"the notebook of {student} comes to its end"):
                wait_until(lambda page=page, path=path: finished(page, path), "it")
                assert STUB in path.read_text(encoding="utf-8"), f"no stub says {STUB!r}"
        for page in pages.values():
            page.locator(HANDLE).hover()  # scrolls there, and waits until nothing covers it
        for student, page in pages.items():
            with step(f"{student} drags the explorer"):
                before = {name: shown(pages[name]) for name in pages}
                drag(page, page.locator(HANDLE), STUDENTS[student])
                changed = [name for name in pages if shown(pages[name]) != before[name]]
                assert changed == [student], f"numbers changed for {changed}"
