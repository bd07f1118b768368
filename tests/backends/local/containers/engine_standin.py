"""A container engine for tests: a command on PATH, and a server in this process that does the work.

Like Docker's daemon it is no child of whoever calls the command, so its containers outlive that.
A container is a process of this machine; paths of mounts are replaced in its words.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

IMAGE = "localhost/kalelite-test:1"

CLIENT = """#!{python} -IS
import json, os, socket, sys
channel = socket.socket(socket.AF_UNIX)
channel.connect({address!r})
said = {{"argv": sys.argv[1:], "env": dict(os.environ)}}
channel.sendall(json.dumps(said).encode() + b"\\n")
for line in channel.makefile():
    answer = json.loads(line)
    if "code" in answer:
        sys.exit(answer["code"])
    sys.stdout.write(answer["out"])
    sys.stdout.flush()
sys.exit(99)
"""


def _run_parser():
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--rm", action="store_true", required=True)
    for name in ("--pull", "--name", "--label"):
        parser.add_argument(name, required=True)
    for name in ("--cpus", "--memory", "--user", "--gpus", "--entrypoint"):
        parser.add_argument(name)
    for name in ("--mount", "--env"):
        parser.add_argument(name, action="append", default=[])
    parser.add_argument("image")
    parser.add_argument("words", nargs=argparse.REMAINDER)
    return parser


class StandIn(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The engine. ``calls`` are the commands it was given, ``containers`` those that live."""

    daemon_threads = True

    def __init__(self, name="docker"):
        # The names of sockets are short.
        self.folder = Path(tempfile.mkdtemp(prefix="engine-"))
        address = str(self.folder / "socket")
        super().__init__(address, _Handler)
        self.images = {IMAGE: ["sh", "-c"]}
        self.registry = {}
        self.calls = []
        self.containers = {}
        self.info = {"CpuCfsQuota": True, "MemoryLimit": True}
        self.path = self.folder / "bin"
        self.path.mkdir()
        command = self.path / name
        command.write_text(CLIENT.format(python=sys.executable, address=address))
        command.chmod(0o755)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self):
        for name in list(self.containers):
            self.end(name)
        self.shutdown()
        self.thread.join()
        self.server_close()
        shutil.rmtree(self.folder)

    def runs(self):
        """What was said to ``run``."""
        return [_run_parser().parse_args(call[1:]) for call in list(self.calls) if call[0] == "run"]

    def of(self, command):
        return [call for call in list(self.calls) if call[0] == command]

    def answer(self, argv, env, tell):
        """Carry out a command; its exit code. ``tell`` prints."""
        self.calls.append(argv)
        match argv:
            case ["info", "--format", "{{json .}}"]:
                tell(json.dumps(self.info))
                return 0
            case ["image", "inspect", image]:
                return 0 if image in self.images else 1
            case ["pull", image]:
                if image in self.registry:
                    self.images[image] = self.registry[image]
                    return 0
                tell(f"pulling\nError: {image}: manifest unknown\n")
                return 1
            case ["run", *rest]:
                return self._run(rest, env, tell)
            case ["stop", "-t", seconds, name] if name in self.containers:
                self.end(name, float(seconds))
                return 0
            case ["ps", "--all", "--quiet", "--filter", label]:
                for name, (_, own) in list(self.containers.items()):
                    if f"label={own}" == label:
                        tell(f"{name}\n")
                return 0
            case ["rm", "--force", "--volumes", *names]:
                return max([self.end(name) for name in names])
        return 125

    def end(self, name, seconds=0.0):
        process, _ = self.containers.get(name, (None, ""))
        if process is None:
            return 1
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.containers.pop(name, None)
        return 0

    def _run(self, argv, env, tell):
        said = _run_parser().parse_args(argv)
        if said.image not in self.images:
            tell(f"Unable to find image '{said.image}' locally\n")
            return 125
        words = [said.entrypoint] if said.entrypoint else self.images[said.image]
        words = [*words, *said.words]
        for text in said.mount:
            fields = dict(field.partition("=")[::2] for field in text.split(","))
            assert Path(fields["source"]).exists()
            words = [word.replace(fields["target"], fields["source"]) for word in words]
        own = {"PATH": "/usr/bin:/bin"}
        for entry in said.env:
            name, given, value = entry.partition("=")
            own[name] = value if given else env[name]
        try:
            process = subprocess.Popen(
                words,
                env=own,
                cwd="/",
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        except OSError:
            tell(f"exec: {words[0]!r}: executable file not found in $PATH\n")
            return 127
        self.containers[said.name] = (process, said.label)
        for line in process.stdout:
            tell(line)
        code = process.wait()
        process.stdout.close()
        self.containers.pop(said.name, None)
        return code if code >= 0 else 128 - code


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        said = json.loads(self.rfile.readline())

        def tell(text):
            self._send({"out": text})

        try:
            code = self.server.answer(said["argv"], said["env"], tell)
        except Exception as error:
            tell(f"the stand-in does not know this: {error!r}\n")
            code = 125
        self._send({"code": code})

    def _send(self, message):
        # Whoever has called may have been killed.
        with contextlib.suppress(OSError):
            self.wfile.write(json.dumps(message).encode() + b"\n")


def until(check, seconds=30.0):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


class Real:
    """The machine's own engine, with an image of busybox that is made here."""

    def __init__(self, program):
        self.program = program

    def call(self, *argv, **more):
        return subprocess.run([self.program, *argv], capture_output=True, check=False, **more)

    def prepare(self):
        """Why it cannot be used; empty if it can."""
        busybox = shutil.which("busybox")
        if busybox is None:
            return "install busybox-static for an image to run"
        with tempfile.TemporaryDirectory() as folder:
            tools = Path(folder, "bin")
            tools.mkdir()
            Path(folder, "tmp").mkdir()
            shutil.copy(busybox, tools / "busybox")
            for name in ("sh", "cat", "sleep", "mkdir", "wc", "tr", "touch", "env", "id"):
                (tools / name).symlink_to("busybox")
            archive = subprocess.run(
                ["tar", "-C", folder, "-c", "."], capture_output=True, check=True
            )
        done = self.call("import", "-", IMAGE, input=archive.stdout)
        if not done.returncode:
            done = self.call("run", "--rm", IMAGE, "sh", "-c", "exit 0")
        last = done.stderr.decode().strip().splitlines()[-1:]
        return f"its engine cannot run busybox: {last}" if done.returncode else ""

    @property
    def containers(self):
        filter_ = ["--filter", "label=kalelite.run"]
        return self.call("ps", "--all", "--quiet", *filter_).stdout.split()
