"""A step that is not root appends to the file that it was given, and returns it beside a new one in
the folder that it was given.

Right: as in plain Python it may write to both, and the next step sees what it wrote.
"""
# /// case
# other_user = true
# ways = ["plain", "local", "debug"]
# ///
from dataclasses import dataclass
from pathlib import Path

from kalelite import pipeline, step


@dataclass
class Model:
    log: Path
    best: Path
    folder: Path


@step
def make():
    folder = Path("models")
    folder.mkdir(exist_ok=True)
    (folder / "log.txt").write_text("one\n")
    return folder / "log.txt", folder


@step
def edit(log, folder):
    with log.open("a") as file:
        file.write("two\n")
    (folder / "best.bin").write_bytes(b"best")
    return Model(log=log, best=folder / "best.bin", folder=folder)


@step
def read(model):
    names = sorted(path.name for path in model.folder.iterdir())
    return model.log.read_text().split(), names, model.best.parent == model.folder


@pipeline
def flow():
    log, folder = make()
    return read(edit(log, folder))


if __name__ == "__main__":
    print("RESULT", flow())
