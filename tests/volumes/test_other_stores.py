"""`kalelite.sync` with emulators of Google Cloud Storage and Azure Blob Storage on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

from kalelite import TransferError, sync
from kalelite.volumes.object_sync import ObjectSync

AZURE_KEY = (  # every emulator has this one
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


def google(port, setenv):
    """The command of the server; what is in the environment then, the library finds."""
    # It asks by gRPC what kind of bucket it is, which the emulator does not speak.
    setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    pytest.importorskip("gcsfs", reason="there is no gcsfs: pip install gcsfs gcp-storage-emulator")
    pytest.importorskip("gcp_storage_emulator", reason="pip install gcp-storage-emulator")
    words = ["-m", "gcp_storage_emulator", "start", "--in-memory", "--default-bucket", "bucket"]
    return [sys.executable, *words, "--port", str(port)]


def azure(port, setenv):
    pytest.importorskip("adlfs", reason="there is no adlfs: pip install adlfs")
    server = shutil.which("azurite-blob")
    if not server:
        pytest.skip("there is no azurite-blob on the PATH: npm install -g azurite")
    account = f"AccountName=devstoreaccount1;AccountKey={AZURE_KEY}"
    place = f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1"
    connection = f"DefaultEndpointsProtocol=http;{account};{place};"
    setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    words = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    return [server, *words, "--blobPort", str(port)]


@pytest.fixture(
    params=[("gs", google, {"token": "anon"}), ("abfs", azure, {})], ids=["google", "azure"]
)
def store(request, tmp_path, monkeypatch):
    """The URL of an empty bucket, and the options that its library needs."""
    scheme, server, options = request.param
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = server(port, monkeypatch.setenv)
    monkeypatch.setenv("KALELITE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, **quiet) as process:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        if scheme == "abfs":
            import fsspec

            fsspec.filesystem("abfs", skip_instance_cache=True).mkdir("bucket")
        yield f"{scheme}://bucket/in", options
        process.terminate()


def test_there_and_back_and_only_what_changed(store, tmp_path):
    url, options = store
    out, back = tmp_path / "out", tmp_path / "back"
    (out / "deep").mkdir(parents=True)
    (out / "a").write_text("1")
    (out / "deep" / "c d").write_text("3")

    def both():
        up = ObjectSync(url, out, tmp_path / "home", options=options).upload(delete=True)
        down = ObjectSync(url, back, tmp_path / "home", options=options).download(delete=True)
        files = (path for path in back.rglob("*") if path.is_file())
        found = {str(path.relative_to(back)): path.read_text() for path in files}
        return (up.copied, up.deleted, down.copied, down.deleted), found

    assert both() == ((2, 0, 2, 0), {"a": "1", "deep/c d": "3"})
    assert both() == ((0, 0, 0, 0), {"a": "1", "deep/c d": "3"})
    (out / "a").write_text("2")
    assert both() == ((1, 0, 1, 0), {"a": "2", "deep/c d": "3"})
    (out / "a").unlink()
    assert both() == ((0, 1, 0, 1), {"deep/c d": "3"})


def test_a_bucket_that_is_not_there(store):
    url, options = store
    with pytest.raises(TransferError, match="there is no bucket"):
        sync(url.replace("bucket", "none"), "data", storage_options=options)


@pytest.mark.parametrize(
    ("url", "package"), [("gs://b/p", "gcsfs"), ("abfs://b/p", "adlfs"), ("s3://b/p", "s3fs")]
)
def test_the_package_that_is_missing_is_named(url, package, tmp_path):
    pytest.importorskip("fsspec", reason="there is no fsspec: pip install fsspec")
    program = f"""
import sys
sys.modules[{package!r}] = None
from kalelite import TransferError, sync
try:
    sync({url!r}, "data")
except TransferError as error:
    print(error)
"""
    environ = {**os.environ, "KALELITE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, cwd=tmp_path, capture_output=True, text=True
    )
    assert f"{url} cannot be reached: {package} is not installed" in done.stdout, done
    assert f"pip install fsspec {package}" in done.stdout
