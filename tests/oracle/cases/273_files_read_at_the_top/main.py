"""Files beside the script that its top reads, and resources of a package.

Right: the steps find them.
"""
import importlib.resources as res
import zipfile, json, sys
from pathlib import Path
from kalelite import pipeline, step
import pkg
HERE = Path(__file__).resolve().parent
CONFIG = json.loads(Path(__file__).with_name("config.json").read_text())
ARCHIVE = zipfile.ZipFile(HERE / "things.zip")
NAMES = ARCHIVE.namelist()
TEXT = ARCHIVE.read("a.txt").decode()
ARCHIVE.close()
@step
def read():
    return CONFIG, NAMES, TEXT, res.files("pkg").joinpath("data/words.txt").read_text(), pkg.words(), Path(__file__).with_name("config.json").read_text(), (HERE / "pkg" / "data" / "words.txt").exists()
@pipeline
def flow():
    return read()
if __name__ == "__main__":
    print("RESULT", flow())
