import functools
class Registry:
    def __init__(self): self.items = {}
    def register(self, name):
        def deco(f):
            self.items[name] = f
            return f
        return deco
registry = Registry()
class Task:
    pass
RNG_SEEDED = []
