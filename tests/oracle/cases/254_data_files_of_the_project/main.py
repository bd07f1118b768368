"""Files of the project, read beside the script, from the working folder, by a pattern, from a local
package and through an argument; the code writes one itself.

Right: the steps read them.
"""
import importlib.resources, pkgutil
from pathlib import Path
import shop
from kalelite import pipeline, step
HERE = Path(__file__).parent
CFG = HERE / "conf.ini"
@step
def a(): return (HERE / "limits.txt").read_text(), CFG.read_text(), [p.read_text() for p in sorted((HERE/"data").glob("*.csv"))]
@step
def b():
    with open("data/one.csv") as f: x = f.read()
    return x, importlib.resources.files("shop").joinpath("res/p.txt").read_text(), pkgutil.get_data("shop", "p.txt"), shop.P, shop.load()
@step
def c():
    return Path("out.txt").write_text("x")
@step
def g(path): return Path(path).read_text()
@pipeline
def flow(): return a(), b(), c(), g(Path("rates.txt"))
if __name__ == "__main__":
    for r in flow(): print("RESULT", r)
