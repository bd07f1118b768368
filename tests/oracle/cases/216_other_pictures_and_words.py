"""Pictures of kinds that there are not, named by suffix or by format; parameters without `-p`.

Right: each is refused before the script runs, and nothing is written; the kinds that exist work.
"""
# /// case
# ways = ["local"]
# [[run]]
# command = ["kalelite", "graph", "main.py", "-o", "plan.pdf"]
# exit = 2
# has = [".svg"]
# lacks = ["script runs"]
# [[run]]
# command = ["kalelite", "main.py", "--graph", "svg", "-o", "plan.PNG"]
# exit = 2
# [[run]]
# command = ["kalelite", "main.py", "rate=0.5"]
# exit = 2
# has = ["-p rate=0.5"]
# [[run]]
# command = ["kalelite", "graph", "main.py", "-o", "plan.txt"]
# [[run]]
# command = ["kalelite", "graph", "main.py", "-o", "plan.mmd"]
# [[run]]
# command = ["python", "-c", "import os; print('RESULT', sorted(n for n in os.listdir() if 'plan' in n))"]
# lines = ["RESULT ['plan.mmd', 'plan.txt']"]
# ///
from kalelite import pipeline, step

print("script runs")


@step
def load(rate):
    return rate


@pipeline
def flow(rate: float = 0.1):
    return load(rate)
