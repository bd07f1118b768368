"""Steps leave executors with work, archives and text files open, in globals, closures and objects;
one fails meanwhile.

Right: all the work is done and all the files are whole when the run has ended.
"""
# /// case
# ways = ["plain", "local", "debug"]
# exit = "any"
# files = ["pool.txt", "rows.csv", "text.txt", "chain.txt", "failed.txt", "zip.txt"]
# ///
import csv
import gzip
import io
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kalelite import pipeline, step

KEPT = []


class Report:
    def __init__(self, name):
        self.file = open(name, "w")
        KEPT.append(self)


def late(name):
    time.sleep(0.3)
    Path(name).write_text("done")


def chain():
    time.sleep(0.2)
    threading.Thread(target=late, args=("chain.txt",)).start()


@step
def work():
    executor = ThreadPoolExecutor(2)
    KEPT.append(executor)
    executor.submit(late, "pool.txt")
    threading.Timer(0.2, chain).start()
    return "working"


@step
def write(before):
    rows = csv.writer(open("rows.csv", "w"))
    rows.writerow([1, 2])
    Report("text.txt").file.write("text")
    KEPT.append(io.TextIOWrapper(gzip.open("text.gz", "wb")))
    KEPT[-1].write("zipped")
    KEPT.append(zipfile.ZipFile("both.zip", "w"))
    KEPT[-1].writestr("name", "content")
    KEPT.append(rows)
    return "written"


@step
def check(before):
    unzipped = gzip.open("text.gz", "rt").read() if not KEPT else "zipped"
    inside = zipfile.ZipFile("both.zip").read("name") if not KEPT else b"content"
    Path("zip.txt").write_text(f"{unzipped} {inside}")
    threading.Thread(target=late, args=("failed.txt",)).start()
    raise ValueError("it fails")


@pipeline
def flow():
    return check(write(work()))


if __name__ == "__main__":
    flow()
