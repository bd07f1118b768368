"""Modules that are not found: a part of a package of the project, of an installed one, a package
that a package of the project needs, and one that nobody has.

Right: "not installed" is said of packages that are not there, and only of them.
"""
# /// case
# ways = ["local", "debug"]
# exit = 1
# [[run]]
# args = ["--", "half.part"]
# has = ["half.gone"]
# lacks = ["not installed"]
# [[run]]
# args = ["--", "json.absent"]
# has = ["json.absent"]
# lacks = ["not installed"]
# [[run]]
# args = ["--", "half.other"]
# has = ["'not_there_at_all', which is not installed"]
# [[run]]
# args = ["--", "nowhere.at.all"]
# has = ["'nowhere', which is not installed"]
# ///
import sys

from kalelite import pipeline, step

WHICH = sys.argv[-1]


@step
def look():
    import half

    if WHICH == "half.part":
        import half.part
    if WHICH == "json.absent":
        import json.absent
    if WHICH == "half.other":
        import half.other
    if WHICH == "nowhere.at.all":
        import nowhere.at.all


@pipeline
def flow():
    look()


if __name__ == "__main__":
    flow()
