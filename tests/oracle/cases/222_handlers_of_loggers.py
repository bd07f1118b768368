"""Loggers get handlers, formatters and levels of the script's own; subclasses are found by their base.

Right: a step logs as the script does, to the same file.
"""
# /// case
# prints = true
# files = ["app.log"]
# ///
import logging, logging.handlers, warnings, sys
from kalelite import pipeline, step
class Base:
    pass
class A(Base):
    tag = "a"
class B(Base):
    tag = "b"
class Fmt(logging.Formatter):
    def format(self, r): return "STEP " + super().format(r)
log = logging.getLogger("app")
h = logging.StreamHandler(sys.stdout); h.setFormatter(Fmt("%(levelname)s %(message)s"))
log.addHandler(h); log.setLevel("DEBUG"); log.propagate = False
fh = logging.FileHandler("app.log", mode="w"); log.addHandler(fh)
logging.addLevelName(15, "FINE")
class Old(Warning): pass
warnings.simplefilter("error", Old)
logging.captureWarnings(True)
@step
def look():
    log.debug("hi"); log.log(15, "fine")
    try: warnings.warn("x", Old); r = "no"
    except Old: r = "yes"
    return r, [c.tag for c in Base.__subclasses__()]
@pipeline
def flow(): return look()
if __name__ == "__main__":
    print("RESULT", flow()); fh.stream.write("end\n")
