def register(name):
    def deco(f):
        REGISTRY[name] = f
        return f
    return deco
REGISTRY = {}
class Plugin:
    subs = []
    def __init_subclass__(cls, **kw):
        Plugin.subs.append(cls.__name__)
class Conf:
    def __init__(self): self.rate = 1; self.tags = []
    def configure(self, **kw): self.__dict__.update(kw)
conf = Conf()
LEVEL = 1
_opts = {}
def set_level(n):
    global LEVEL
    LEVEL = n
def option(k, v): _opts[k] = v
def show(): return LEVEL, dict(_opts), conf.rate, conf.tags, sorted(REGISTRY), Plugin.subs
