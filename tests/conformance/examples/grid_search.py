"""A grid search: a model for each setting, the best one chosen, a report whatever happens."""

from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

from kalelite import (
    Collected,
    ExitHandler,
    FinalStatus,
    ParallelFor,
    log_metric,
    pipeline,
    step,
)


@step
def load(seed):
    x, y = load_iris(return_X_y=True)
    return train_test_split(x, y, test_size=0.3, random_state=seed)


@step
def train(x, y, depth, criterion):
    model = DecisionTreeClassifier(max_depth=depth, criterion=criterion, random_state=0)
    return model.fit(x, y)


@step
def evaluate(model, x, y) -> float:
    score = accuracy_score(y, model.predict(x))
    log_metric("accuracy", score)
    return float(score)


@step
def choose(models, scores):
    place = max(range(len(scores)), key=scores.__getitem__)
    return models[place], {"depth": models[place].max_depth, "score": round(scores[place], 3)}


@step
def check(model, x, y):
    return type(model).__name__, round(float(model.score(x, y)), 3)


@step
def report(journal, status: FinalStatus):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write(f"{status.state}\n")


@pipeline
def main(journal: str = "", seed: int = 1):
    with ExitHandler(report(journal)):
        x, x_test, y, y_test = load(seed)
        grid = [
            {"depth": 1, "criterion": "gini"},
            {"depth": 2, "criterion": "gini"},
            {"depth": 3, "criterion": "entropy"},
        ]
        with ParallelFor(grid, parallelism=2) as one:
            model = train(x, y, one.depth, one.criterion)
            score = evaluate(model, x_test, y_test)
        best, facts = choose(Collected(model), Collected(score))
        checked = check(best, x_test, y_test)


VALUES = {
    "choose.facts": {"depth": 2, "score": 0.956},
    "check": ("DecisionTreeClassifier", 0.956),
    "evaluate[0]": 0.6,
}
ORDER = ["load", "train[2]", "evaluate[2]", "choose", "check", "report"]
METRICS = {"evaluate[0].accuracy": 0.6}
JOURNAL = ["SUCCEEDED"]
