"""A folder, its parts and a file in it are outputs of one call: they lie in each other after it."""

import shutil
import tempfile
from pathlib import Path

from kalelite import Collected, ParallelFor, pipeline, step


@step
def make():
    folder = Path(tempfile.mkdtemp()) / "data"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        (folder / name / "f.txt").write_text(name)
    return folder, [folder / "a", folder / "b"], {"file": folder / "a" / "f.txt"}


@step
def see(folder, parts, named):
    file = named["file"]
    file.write_text("written")
    inside = parts[0] == folder / "a", str(file.relative_to(folder)), parts[1].is_dir()
    return inside, (folder / "a" / "f.txt").read_text(), sorted(p.name for p in folder.rglob("*"))


@step
def alone(named):
    return named["file"].read_text()


@step
def each(folder, name):
    (folder / name / "out.txt").write_text(name * 2)
    return folder / name


@step
def merge(folders):
    return [sorted((p.name, p.read_text()) for p in folder.iterdir()) for folder in folders]


@step
def edit(folder):
    (folder / "a" / "f.txt").write_text("edited")
    shutil.rmtree(folder / "b")
    return folder, folder / "a" / "f.txt"


@step
def last(folder, file):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")), file.read_text()


@pipeline
def main():
    folder, parts, named = make()
    shown = see(folder, parts, named)
    folder, file = edit(make()[0])
    return shown, last(folder, file)


@pipeline
def loop():
    folder, _, named = make()
    with ParallelFor(["a", "b"]) as name:
        folders = each(folder, name)
    return merge(Collected(folders)), alone(named)


if __name__ == "__main__":
    print("RESULT", main())
    print("RESULT", loop())
