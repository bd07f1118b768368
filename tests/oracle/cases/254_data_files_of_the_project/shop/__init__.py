import pathlib
from importlib import resources
P = (pathlib.Path(__file__).parent / "p.txt").read_text()
def load(): return resources.read_text("shop", "p.txt")
