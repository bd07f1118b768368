"""Steps return paths of files that they have removed or renamed, and of files that never were.

Right: what is gone is an error of its step, which names it; a name for a file to come is a name.
"""
# /// case
# ways = ["local", "debug"]
# exit = 1
# [[run]]
# env = { HOW = "name" }
# exit = 0
# lines = ["RESULT to/come.txt"]
# [[run]]
# env = { HOW = "removed" }
# has = ["removed.txt"]
# [[run]]
# env = { HOW = "renamed" }
# has = ["renamed.txt"]
# [[run]]
# env = { HOW = "closed" }
# has = ["closed.bin"]
# [[run]]
# env = { HOW = "folder" }
# has = ["inner.txt"]
# ///
import os
import shutil
import tempfile
from pathlib import Path

from kalelite import pipeline, step


@step
def make(how):
    if how == "name":
        return {"path": Path("to/come.txt")}
    path = Path(f"{how}.txt")
    if how == "removed":
        path.write_text("x")
        os.remove(path)
    if how == "renamed":
        path.write_text("x")
        path.rename("other.txt")
    if how == "closed":
        with tempfile.NamedTemporaryFile(suffix="closed.bin") as file:
            path = Path(file.name)
    if how == "folder":
        Path("work/deep").mkdir(parents=True)
        path = Path("work/deep/inner.txt")
        path.write_text("x")
        shutil.rmtree("work")
    return {"path": path}


@step
def show(given):
    return str(given["path"])


@pipeline
def flow(how: str = "name"):
    return show(make(how))


if __name__ == "__main__":
    print("RESULT", flow(how=os.environ["HOW"]))
