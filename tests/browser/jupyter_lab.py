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
def lab(folder):
    """JupyterLab over a folder; gives its address. It ends with all its kernels."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = Path(folder) / ".lab"
    settings = own / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    settings.joinpath("notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
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
        stderr=subprocess.DEVNULL,
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
        page.wait_for_function("() => document.body.innerText.includes('| Idle')", timeout=60_000)

    def command(self, name, **arguments):
        """Do what a button or a menu of JupyterLab does, and do not wait for it."""
        self.page.evaluate(
            "([name, given]) => void window.jupyterapp.commands.execute(name, given)",
            [name, arguments],
        )

    def cell(self, number):
        """A code cell, from 0; -1 is the last."""
        return self.page.locator(".jp-CodeCell").nth(number)

    def add(self, source):
        """Write a cell below the last one and run it."""
        cells = self.page.locator(".jp-CodeCell").count()
        self.cell(-1).locator(".cm-content").click()
        self.command("notebook:insert-cell-below")
        self.page.wait_for_function(
            "n => document.querySelectorAll('.jp-CodeCell').length > n", arg=cells
        )
        self.page.wait_for_timeout(300)
        self.cell(-1).locator(".cm-content").click()
        self.page.keyboard.insert_text(source)
        self.command("notebook:run-cell")
        return self.cell(-1)

    def shown(self, cell, pattern, seconds=60):
        """Wait until the outputs of a cell have a text; all their different texts until then."""
        output = cell.locator(".jp-OutputArea")
        seen = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = re.sub(r"\s+", " ", output.first.inner_text() if output.count() else "")
            if text not in seen[-1:]:
                seen.append(text)
            if re.search(pattern, text):
                return seen
            self.page.wait_for_timeout(100)
        raise AssertionError(f"never seen: {pattern}; last: {seen[-1:]}")
