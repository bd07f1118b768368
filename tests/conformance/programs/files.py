"""A file and a folder go from step to step as paths."""

from pathlib import Path

from kalelite import pipeline, step


@step
def write():
    Path("data").mkdir()
    Path("data/a.txt").write_text("ünï")
    Path("data/empty").mkdir()
    Path("one.bin").write_bytes(b"\0\1")
    return Path("data"), Path("one.bin")


@step
def read(folder, file):
    return (
        sorted(path.name for path in folder.iterdir()),
        (folder / "a.txt").read_text(),
        file.read_bytes(),
    )


@pipeline
def main():
    folder, file = write()
    return read(folder, file)


EXPECTED = (["a.txt", "empty"], "ünï", b"\0\1")
