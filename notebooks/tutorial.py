"""The shape of a Kale tutorial: load, split, train a binary classifier.

A program written for Kale's SDK needs another import line and nothing else: steps have names of
their own, variables are rebound, arguments are positional and by keyword, parameters are given
in the main block.

    python -m kalelite notebooks/tutorial.py
    python -m kalelite notebooks/tutorial.py --kfp --compile tutorial.yaml
"""

from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from kalelite import pipeline, step


@step(name="data_loading")
def load(random_state):
    """Make a data set with two classes."""
    return make_classification(random_state=int(random_state))


@step(name="data_split")
def split(x, y):
    """Keep a tenth of it for testing."""
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.1, random_state=0)
    return x, x_test, y, y_test


@step(name="model_training")
def train(x, x_test, y, training_iterations):
    """Fit a logistic regression and show what it says of the test part."""
    model = LogisticRegression(max_iter=int(training_iterations)).fit(x, y)
    print(model.predict(x_test))


@pipeline(name="binary-classification", experiment="kale-tutorial")
def classify(rs=42, iters=100):
    """Train a classifier on made data."""
    x, y = load(rs)
    x, x_test, y, y_test = split(x=x, y=y)
    train(x, x_test, y, training_iterations=iters)


if __name__ == "__main__":
    classify(rs=42, iters=100)
