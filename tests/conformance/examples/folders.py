"""Big data by path: folders of files go from step to step, each file by itself, and come together."""

import csv
from pathlib import Path

from kalelite import Collected, ParallelFor, log_artifact, pipeline, step


@step
def split(days: int):
    folder = Path("days")
    folder.mkdir()
    for day in range(days):
        with (folder / f"day-{day}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["city", "sales"], ["Graz", day], ["Wien", day * 10]])
    (folder / "README").write_text("not a table")
    return folder


@step
def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.csv"))


@step
def double(folder: Path, name: str) -> Path:
    with (folder / name).open(newline="") as file:
        rows = list(csv.reader(file))
    result = Path(name)
    with result.open("w", newline="") as file:
        csv.writer(file).writerows([[city, sales, "2x"] for city, sales in rows])
    return result


@step
def merge(files):
    lines = [line for file in files for line in file.read_text().splitlines()[1:]]
    Path("all.csv").write_text("\n".join(lines))
    log_artifact(Path("all.csv"), "all")
    return Path("all.csv"), len(lines)


@step
def total(table: Path, folder: Path) -> int:
    assert (folder / "README").read_text() == "not a table"
    return sum(int(line.split(",")[1]) for line in table.read_text().splitlines())


@pipeline
def main(days: int = 3):
    folder = split(days)
    with ParallelFor(names(folder)) as name:
        table = double(folder, name)
    everything, count = merge(Collected(table))
    return total(everything, folder), count


EXPECTED = (33, 6)
ORDER = ["split", "names", "double[2]", "merge", "total"]
ARTIFACTS = {"merge.all": "file"}
