"""The program of a prepare step: it takes the run's code out of the run's own Workflow.

A Workflow holds what is in the arguments of a task nine times, if the task runs. The code is in
those of a task that never does, so once. This program travels as text in the arguments of one that
runs: it imports the standard library only, and is small.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import ssl
import sys
import tempfile
import time
import urllib.error
import urllib.request


def workflow(name: str) -> str:
    """The Workflow as JSON, read with the pod's own service account."""
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    account = os.environ.get("KALELITE_SERVICE_ACCOUNT", account)
    address = "https://{KUBERNETES_SERVICE_HOST}:{KUBERNETES_SERVICE_PORT}"
    base = os.environ.get("KALELITE_API_SERVER") or address.format_map(os.environ)

    def text(name: str) -> str:
        with open(f"{account}/{name}", encoding="utf-8") as file:
            return file.read().strip()

    authority = f"{account}/ca.crt"
    context = None
    if os.path.exists(authority):
        context = ssl.create_default_context(cafile=authority)
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{text('namespace')}/workflows/{name}"
    request = urllib.request.Request(base + path)
    request.add_header("Authorization", "Bearer " + text("token"))
    reason: object = ""
    for delay in (1, 2, 4, 8, 15, 30):
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            reason = error
            if error.code == 403:
                sys.exit(
                    "prepare: the run's service account may not read its own Workflow, where the "
                    "code is: let it get workflows.argoproj.io, or submit with kalelite from where "
                    "ConfigMaps may be made"
                )
        except OSError as error:
            reason = error
        time.sleep(delay)
    sys.exit(f"prepare: the Workflow {name} cannot be read: {reason}")


def main() -> None:
    """Find the code by its digest and run it with the other arguments."""
    name, digest, *args = sys.argv[2:]
    found = re.search(f"kalelite:{digest}:([A-Za-z0-9+/=]+)", workflow(name))
    data = base64.b64decode(found[1]) if found else b""
    if hashlib.sha256(data).hexdigest() != digest:
        sys.exit("prepare: the code in the Workflow is not the code that was sent")
    path = os.path.join(tempfile.mkdtemp(), "code.pyz")
    with open(path, "wb") as file:
        file.write(data)
    os.environ["KALELITE_BOOT"] = json.dumps([*sys.orig_argv[:4], name, digest])
    os.execv(sys.executable, [sys.executable, path, *args])


if __name__ == "__main__":
    main()
