"""Iterators halfway through, and callables of the standard library.

Right: they go on where they were.
"""
import itertools, functools, operator, collections, types, re, string, statistics, heapq, bisect, array
from kalelite import pipeline, step
@step
def make():
    it = iter([1, 2, 3]); next(it)
    c = itertools.count(5); next(c)
    d = {"k": 1}
    return [it, c, map(str, [1]), zip("ab", [1, 2]), enumerate("x"), reversed([1, 2]), itertools.chain([1], [2]), operator.itemgetter(1), operator.attrgetter("a.b"), functools.reduce, types.MappingProxyType, string.Template("$a"), iter(d.items()) if False else iter((9,)), range(10, 0, -3), slice(None, None, 2), NotImplemented, type(None), functools.cmp_to_key, dict.fromkeys, "abc".upper, [].append, collections.abc.Sized, re.compile(b"x", re.S)]
@step
def use(v):
    return [list(v[0]), next(v[1]), list(v[2]), list(v[3]), list(v[4]), list(v[5]), list(v[6]), v[7]("ab"), v[9](operator.add, [1, 2]), v[11].substitute(a=1), list(v[12]), list(v[13]), v[14], v[15] is NotImplemented, v[16], v[18]("ab"), v[19](), v[21], v[22].pattern]
@pipeline
def flow(): return use(make())
if __name__ == "__main__":
    print("RESULT", flow())
