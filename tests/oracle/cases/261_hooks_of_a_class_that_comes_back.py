"""Values bring instances of the script's classes to a step; hooks of class definitions count them.

Right: the hooks have run once for each class statement, also in the process of the script.
"""
from kalelite import pipeline, step


class Plugin:
    known = {}

    def __init_subclass__(cls, tag="", **named):
        super().__init_subclass__(**named)
        cls.tag = tag
        Plugin.known[tag] = Plugin.known.get(tag, 0) + 1


class Counted(type):
    made = []

    def __new__(mcs, name, bases, space, **named):
        Counted.made.append(name)
        return super().__new__(mcs, name, bases, space, **named)


class Double(Plugin, metaclass=Counted, tag="double"):
    pass


class Half(Double, tag="half"):
    pass


@step
def make():
    return [Double(), Half()], Half


@step
def known(plugins, cls):
    return [plugin.tag for plugin in plugins], type(plugins[1]) is cls is Half, Plugin.known


@pipeline
def flow():
    plugins, cls = make()
    return known(plugins, cls)


if __name__ == "__main__":
    print("RESULT", flow())
    print("RESULT", Plugin.known, Counted.made)
