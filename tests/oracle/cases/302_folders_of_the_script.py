"""A script that makes a folder and goes there: steps start there, and nothing is to be said."""
# /// case
# ways = ["plain", "local", "debug"]
# lacks = ["do not find"]
# ///

import os
import shutil
import tempfile
from pathlib import Path

from kalelite import pipeline, step

Path("inside").mkdir(exist_ok=True)
Path("inside").joinpath("a.txt").write_text("a")
os.chdir("inside")
tempfile.TemporaryDirectory().cleanup()
shutil.copy("a.txt", "b.txt")


@step
def write():
    Path("c.txt").write_text("c")
    return os.path.basename(os.getcwd())


@step
def read(name):
    return name, sorted(os.listdir(".")), Path("b.txt").read_text()


@pipeline
def main():
    return read(write())


if __name__ == "__main__":
    print("RESULT", main())
