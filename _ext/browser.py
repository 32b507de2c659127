"""The Chromium that tests and `make pdf` drive: found here, or installed with apt-get.

`python _ext/browser.py` prints the path; it installs Chromium first where none is found and
the machine allows it.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# No sandbox, because containers run as root; the rest keeps Chromium from calling home, so that
# every request a test sees was made by the page.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Formulas are set and every widget has drawn itself, or has said why it cannot.
READY = """async () => {
  if (window.MathJax) await MathJax.startup.promise;
  const views = [...document.querySelectorAll('[type="application/vnd.jupyter.widget-view+json"]')];
  const started = (view) => view.nextElementSibling && view.nextElementSibling.childNodes.length;
  while (!views.every(started)) await new Promise(requestAnimationFrame);
  await document.fonts.ready;
  await new Promise(requestAnimationFrame);
}"""

# The same, and no widget has more to compute.
COMPUTED = """async () => {
  const waits = ".anywidget-static:not([role=alert], :has(.vw-figure[data-done]))";
  while (document.querySelector(waits)) await new Promise(requestAnimationFrame);
}"""

MISSING = (
    "No Chromium was found: install Chromium or Google Chrome (Debian, Ubuntu: "
    "`apt-get install chromium`), or name its program in the variable CHROMIUM."
)


def find_chromium():
    """Return the path of a Chromium program; raise FileNotFoundError where there is none."""
    named = os.environ.get("CHROMIUM")
    if named:
        path = shutil.which(named)
        if path is None:
            raise FileNotFoundError(f"CHROMIUM is {named!r}, which is no program on this machine.")
        return path
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise FileNotFoundError(MISSING)


def _apt_get():
    """Return the command that runs apt-get with the right to install, or None."""
    if shutil.which("apt-get") is None:
        return None
    # env comes after sudo, which drops the variables it was started with
    command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    if os.geteuid() == 0:
        return command
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True).returncode == 0:
        return [sudo, "-n", *command]
    return None


def ensure_chromium():
    """Return the path of Chromium, installing it with apt-get where it is missing and allowed."""
    if os.environ.get("CHROMIUM"):
        return find_chromium()
    try:
        return find_chromium()
    except FileNotFoundError:
        apt_get = _apt_get()
        if apt_get is None:
            raise
    print("Installing Chromium for the browser tests.", file=sys.stderr)
    for step in (["update", "-qq"], ["install", "-y", "-qq", "chromium"]):
        if subprocess.run([*apt_get, *step], stdout=sys.stderr).returncode:
            raise FileNotFoundError(f"`apt-get {step[0]}` failed. {MISSING}")
    return find_chromium()


if __name__ == "__main__":
    try:
        print(ensure_chromium())
    except FileNotFoundError as error:
        sys.exit(str(error))
