"""A package with a `__main__`, relative imports and arguments of its own is run with `-m`.

Right: as `python -m` runs it; a script in a folder names the module to a relative import.
"""
# /// case
# [[run]]
# command = ["kalelite", "-m", "proj.jobs", "-p", "n=4", "--", "--twice"]
# lines = ["RESULT proj.jobs 8"]
# [[run]]
# command = ["kalelite", "-m", "proj.jobs", "--debug"]
# lines = ["RESULT proj.jobs 1"]
# [[run]]
# command = ["kalelite", "proj/jobs/__main__.py"]
# exit = 3
# has = ["kalelite -m proj.jobs"]
# [[run]]
# command = ["kalelite", "-m", "proj.absent"]
# exit = 3
# has = ["no module proj.absent"]
# ///
import runpy

runpy.run_module("proj.jobs", run_name="__main__")
