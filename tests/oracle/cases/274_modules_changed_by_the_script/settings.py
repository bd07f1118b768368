class Conf(dict):
    rate = 0.1
conf = Conf()
LEVEL = "low"
def level(): return LEVEL
