"""The program of a reader pod: it gives files below one folder away, as tar archives over HTTP.

It travels as text in the pod's arguments, so it imports the standard library only and runs on any
Python from 3.10. Only who knows the token gets something, and nothing is written or unpickled.
"""

from __future__ import annotations

import sys
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

PORT = 8080


def main(token: str, root: str) -> None:
    """Serve ``/<token>/<path>`` for paths below ``root``, for ever."""
    base = Path(root).resolve()

    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given, _, path = unquote(self.path.lstrip("/")).partition("/")
            target = (base / path).resolve()
            if given != token or base not in target.parents or not target.exists():
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/x-tar")
            self.end_headers()
            with tarfile.open(fileobj=self.wfile, mode="w|") as archive:
                archive.add(target, str(target.relative_to(base)))

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing: the path holds the token."""

    ThreadingHTTPServer(("", PORT), Files).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
