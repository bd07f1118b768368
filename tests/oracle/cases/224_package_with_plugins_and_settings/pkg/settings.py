import os
DEBUG = False
DB = {"host": "x"}
class S:
    level = 1
    tags = ["a"]
from dataclasses import dataclass, field
@dataclass
class Conf:
    n: int = 1
    xs: list = field(default_factory=list)
conf = Conf()
def init(n):
    conf.n = n; DB["port"] = n; S.tags.append("b")
    global DEBUG
    DEBUG = True
