"""A session edits a local module that it has imported: its functions, classes and constants are
reached as attributes, by name, through another module and as instances.

Right: the steps go on with what the session has, and the cache keeps it apart from the new file.
"""
# /// case
# ways = ["plain", "local"]
# [[run]]
# [[run]]
# ///
from pathlib import Path
import tool, via
from tool import speed
from kalelite import pipeline, step
@step(cache=True)
def kept(): return tool.speed()
@step
def anew(): return tool.speed(), tool.T().f(), tool.BASE
@step
def b(): return speed(), via.go()
@step
def c():
    import tool as t
    return t.helper(), t.T
@step
def d(x): return isinstance(x, tool.T), x.f()
@step
def mk(): return tool.T()
@pipeline
def flow(): return kept(), anew(), b(), c(), d(mk()), d(tool.T())
if __name__ == "__main__":
    if not Path("second").exists():
        Path("tool.py").write_text(Path("tool.py").read_text().replace("slow","fast").replace("BASE = 1", "# x\nBASE = 2"))
        Path("second").touch()
    print("RESULT", flow())
