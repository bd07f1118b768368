"""A real JupyterLab, and a real browser in front of it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def lab(folder, *, dark=False):
    """JupyterLab over a folder; gives its address. It ends with all its kernels."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = Path(folder) / ".lab"
    theme = own / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    theme.mkdir(parents=True)
    name = "JupyterLab Dark" if dark else "JupyterLab Light"
    theme.joinpath("themes.jupyterlab-settings").write_text(f'{{"theme": "{name}"}}')
    environ = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTER_DATA_DIR": str(own / "data"),
        "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(own / "config" / "lab" / "user-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        "IPYTHONDIR": str(own / "ipython"),
        "KALELITE_HOME": str(own / "home"),
    }
    words = [
        "--no-browser",
        "--expose-app-in-browser",
        f"--port={port}",
        "--ip=127.0.0.1",
        "--allow-root",
        "--ServerApp.token=",
    ]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *words, f"--ServerApp.root_dir={folder}"],
        env=environ,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=(own / "lab.log").open("wb"),
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _answered(address, server)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _answered(address, server):
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/api", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("JupyterLab does not answer")


@contextmanager
def browser():
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


class Notebook:
    """A notebook that is open in a browser."""

    def __init__(self, page, address, name):
        self.page = page
        page.goto(f"{address}/lab/tree/{name}")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        page.wait_for_selector(
            "[data-status='idle'], .jp-Notebook-ExecutionIndicator", timeout=60_000
        )

    def command(self, name):
        """Do what a button or a menu of JupyterLab does."""
        self.page.evaluate("name => void window.jupyterapp.commands.execute(name)", name)

    def run_all(self):
        """Run all cells; it does not wait for them."""
        self.command("notebook:run-all-cells")

    def wait_idle(self, seconds=60):
        """Wait until nothing runs."""
        self.page.wait_for_function(
            "() => document.querySelectorAll('.jp-InputPrompt').length && "
            "![...document.querySelectorAll('.jp-InputPrompt')].some(e => e.textContent.includes('*'))",
            timeout=seconds * 1000,
        )

    def cell(self, text):
        """The code cell whose source begins with a text."""
        return self.page.locator(
            ".jp-CodeCell", has=self.page.locator(".cm-content", has_text=text)
        )

    def texts(self, locator, until, seconds=60):
        """The different texts of an output, until one of them fits."""
        seen = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = re.sub(r"\s+", " ", locator.inner_text())
            if not seen or seen[-1] != text:
                seen.append(text)
            if re.search(until, text):
                return seen
            time.sleep(0.1)
        raise AssertionError(f"never seen: {until}; last: {seen[-1:]}")
