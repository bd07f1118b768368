"""What the script sets on its own modules, their classes and objects.

Right: the steps find them.
"""
import settings
import helper
from settings import conf
from kalelite import pipeline, step
conf.rate = 0.7
conf["deep"] = {"x": [1]}
settings.LEVEL = "high"
helper.double = lambda x: x * 20
import json
json.loads.__dict__["mark"] = 1
import math
math.tau2 = 12
helper.Model.default = 9
helper.Model.greet = lambda self: "patched"
@step
def work(x):
    return conf.rate, conf["deep"], settings.LEVEL, helper.use(x), helper.Model().default, helper.Model().greet(), settings.level(), math.tau2, helper.cached(3), helper.Model.count()
@pipeline
def flow(): return work(2)
if __name__ == "__main__":
    print("RESULT", flow())
