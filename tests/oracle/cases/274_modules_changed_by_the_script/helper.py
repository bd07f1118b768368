import functools
def double(x): return x * 2
def use(x): return double(x)
@functools.cache
def cached(n): return n * 2
class Model:
    default = 1
    _n = 0
    def greet(self): return "hi"
    @classmethod
    def count(cls): cls._n += 1; return cls._n
