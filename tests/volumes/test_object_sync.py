"""`kalelite.sync` with a real S3 server on loopback, and with stores of other kinds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from kalelite import TransferError, UsageError, sync

boto3 = pytest.importorskip("boto3", reason="there is no boto3: pip install 'moto[server]' s3fs")
pytest.importorskip("s3fs", reason="there is no s3fs: pip install 'kalelite[s3]'")


@pytest.fixture(scope="module")
def endpoint():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/moto-api", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
        server.terminate()


@pytest.fixture
def s3(endpoint, tmp_path, monkeypatch):
    """A client of the server; its bucket is `bucket`, empty."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "KALELITE_HOME": str(tmp_path / "home"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    urllib.request.urlopen(
        urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST"), timeout=30
    ).close()
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    client = boto3.client("s3", endpoint_url=endpoint, **keys)
    client.create_bucket(Bucket="bucket")
    return client


@pytest.fixture
def put(s3):
    def put(**objects):
        for name, body in objects.items():
            s3.put_object(Bucket="bucket", Key=f"in/{name}", Body=body.encode())

    return put


def objects(s3, prefix=""):
    found = s3.list_objects_v2(Bucket="bucket", Prefix=prefix).get("Contents", [])
    return {
        each["Key"]: s3.get_object(Bucket="bucket", Key=each["Key"])["Body"].read()
        for each in found
    }


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_prefix_becomes_a_folder_and_only_what_changed_is_copied_again(put, s3, tmp_path):
    put(a="1", b="2")
    s3.put_object(Bucket="bucket", Key="in/deep/er/c", Body=b"3")
    s3.put_object(Bucket="bucket", Key="in/deep/", Body=b"")
    s3.put_object(Bucket="bucket", Key="inside-no-more", Body=b"4")

    assert sync("s3://bucket/in/", "data/") == "data/"

    assert files(tmp_path / "data") == {"a": "1", "b": "2", "deep/er/c": "3"}
    before = times(tmp_path / "data")
    put(b="9")
    sync("s3://bucket/in", "data")
    after = times(tmp_path / "data")
    assert {name for name in after if after[name] != before[name]} == {"b"}
    assert files(tmp_path / "data")["b"] == "9"


def test_a_file_that_was_changed_here_becomes_the_stores_again(put, tmp_path):
    put(a="1")
    sync("s3://bucket/in", "data")
    (tmp_path / "data" / "a").write_text("8")

    sync("s3://bucket/in", "data")

    assert files(tmp_path / "data") == {"a": "1"}


def test_a_folder_becomes_a_prefix_and_what_is_there_is_not_sent_again(s3, tmp_path):
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "a b").write_text("1")
    (tmp_path / "out" / "deep" / "c").write_text("3")

    assert sync("out", "s3://bucket/results") == "s3://bucket/results"

    assert objects(s3) == {"results/a b": b"1", "results/deep/c": b"3"}
    before = s3.head_object(Bucket="bucket", Key="results/deep/c")["LastModified"]
    time.sleep(1.1)
    os.utime(tmp_path / "out" / "deep" / "c")  # the same content, so the digest counts
    (tmp_path / "out" / "a b").write_text("2")
    sync("out", "s3://bucket/results")
    assert s3.head_object(Bucket="bucket", Key="results/deep/c")["LastModified"] == before
    assert objects(s3)["results/a b"] == b"2"


def test_there_and_back_in_parts(s3, tmp_path):
    (tmp_path / "out").mkdir()
    content = os.urandom(1 << 20) * 110
    (tmp_path / "out" / "large").write_bytes(content)

    sync("out", "s3://bucket/large")
    sync("s3://bucket/large", "back")

    etag = s3.head_object(Bucket="bucket", Key="large/large")["ETag"]
    assert etag.strip('"').endswith("-3")
    assert (tmp_path / "back" / "large").read_bytes() == content


def test_without_a_manifest_digests_tell_what_is_the_same(put, tmp_path):
    put(a="1", b="2")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("1")
    (tmp_path / "data" / "b").write_text("x")
    before = times(tmp_path / "data")

    sync("s3://bucket/in", "data")

    after = times(tmp_path / "data")
    assert (after["a"] == before["a"], after["b"] == before["b"]) == (True, False)


def test_nothing_is_deleted_unless_that_is_asked_for(put, s3, tmp_path):
    put(a="1")
    (tmp_path / "data" / "old").mkdir(parents=True)
    (tmp_path / "data" / "old" / "b").write_text("2")

    sync("s3://bucket/in", "data")
    assert (tmp_path / "data" / "old" / "b").exists()
    sync("s3://bucket/in", "data", delete=True)
    assert files(tmp_path / "data") == {"a": "1"}
    assert not (tmp_path / "data" / "old").exists()

    (tmp_path / "data" / "a").rename(tmp_path / "data" / "c")
    sync("data", "s3://bucket/in")
    assert set(objects(s3)) == {"in/a", "in/c"}
    sync("data", "s3://bucket/in", delete=True)
    assert set(objects(s3)) == {"in/c"}


def test_what_has_no_files_deletes_nothing(put, s3, tmp_path):
    put(a="1")
    (tmp_path / "empty").mkdir()

    with pytest.raises(UsageError, match="would remove all of s3://bucket/in"):
        sync("empty", "s3://bucket/in", delete=True)
    with pytest.raises(TransferError, match="there is nothing at s3://bucket/on"):
        sync("s3://bucket/on", "empty", delete=True)
    assert set(objects(s3)) == {"in/a"}


@pytest.mark.parametrize("name", ["../out", "a/../../out", "a//b", "/abs"])
def test_no_object_is_written_outside_of_the_folder(s3, tmp_path, name):
    s3.put_object(Bucket="bucket", Key=f"in/{name}", Body=b"1")
    s3.put_object(Bucket="bucket", Key="in/good", Body=b"1")

    with pytest.raises(TransferError, match="has a name that no file here may have"):
        sync("s3://bucket/in", "data")
    assert not (tmp_path / "data").exists()


def test_a_bucket_that_is_not_there(s3, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("1")

    for source, target in (("s3://missing/in", "data"), ("out", "s3://missing/in")):
        with pytest.raises(TransferError, match="there is no bucket s3://missing"):
            sync(source, target)


def test_without_credentials(s3, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    with pytest.raises(TransferError, match="there are no credentials for s3://bucket") as caught:
        sync("s3://bucket/in", "data")
    assert "secrets=" in caught.value.hint


def test_with_the_identity_of_a_pod_and_no_keys(s3, put, monkeypatch, tmp_path, endpoint):
    """As the account of a pod has it on EKS: a role, and a token in a file."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    put(a="1")
    token = tmp_path / "token"
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/steps")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))

    with pytest.raises(TransferError, match="the token of the pod's identity cannot be read"):
        sync("s3://bucket/in", "data")
    token.write_text("a token of the account")
    sync("s3://bucket/in", "data")
    sync("data", "s3://bucket/out")

    assert objects(s3, "out/") == {"out/a": b"1"}


def test_without_the_right(s3, monkeypatch, endpoint):
    def checks(count):
        request = urllib.request.Request(
            f"{endpoint}/moto-api/reset-auth",
            data=str(count).encode(),
            method="POST",
            headers={"Content-Type": "text/plain"},
        )
        urllib.request.urlopen(request, timeout=30).close()

    checks(0)
    try:
        with pytest.raises(TransferError, match="may not be read or written"):
            sync("s3://bucket/in", "data")
    finally:
        checks("inf")


def test_an_endpoint_that_does_not_answer(s3, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")

        with pytest.raises(TransferError, match="does not answer"):
            sync("s3://bucket/in", "data")


@pytest.mark.parametrize(
    ("source", "target"), [("data", "out"), ("s3://bucket/a", "s3://bucket/b")]
)
def test_one_of_the_two_is_a_url(source, target):
    with pytest.raises(UsageError, match="copies between a store and a folder"):
        sync(source, target)


def test_other_stores_in_the_same_way(tmp_path, monkeypatch):
    monkeypatch.setenv("KALELITE_HOME", str(tmp_path / "home"))
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "deep" / "a").write_text("1")
    for url in ("memory://bucket/there", f"file://{tmp_path}/there"):
        back = tmp_path / f"back-{url[:4]}"
        sync(str(tmp_path / "out"), url)
        sync(url, str(back))
        assert files(back) == {"deep/a": "1"}

        (tmp_path / "out" / "deep" / "a").write_text("2")
        sync(str(tmp_path / "out"), url)
        sync(url, str(back))
        assert files(back) == {"deep/a": "2"}
        (tmp_path / "out" / "deep" / "a").write_text("1")
    assert sorted(path.name for path in (tmp_path / "there" / "deep").iterdir()) == ["a"]


def test_a_protocol_that_nothing_knows():
    with pytest.raises(TransferError, match="nowhere://x cannot be copied: ValueError"):
        sync("nowhere://x", "data")
