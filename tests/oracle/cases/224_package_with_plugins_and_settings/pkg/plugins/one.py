from ..core import handler
@handler("one")
def one(x): return x + 1
