"""Python steps beside the container steps of tests."""

from pathlib import Path

from kalelite.authoring.decorators import step


@step
def a_file(text: str) -> Path:
    path = Path("lines.txt")
    path.write_text(text)
    return path


@step
def a_folder() -> Path:
    path = Path("some")
    path.mkdir(exist_ok=True)
    (path / "one.txt").write_text("one")
    return path


@step
def texts(folder: Path) -> dict:
    return {item.name: item.read_text() for item in sorted(folder.iterdir())}


@step
def double(number: int) -> int:
    return 2 * number
