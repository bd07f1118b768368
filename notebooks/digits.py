"""Which model reads handwritten digits best?

A real data set (1,797 images, shipped with scikit-learn) is loaded, split and scaled; two models
are trained side by side; the better one is reported.

    python -m kalelite notebooks/digits.py
    python -m kalelite notebooks/digits.py -p test_size=0.4 -p trees=50
"""

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from kalelite import log_metric, pipeline, step


@step
def load():
    """Load the images as rows of 64 pixels, and the digits that they show."""
    digits = load_digits()
    print(f"{len(digits.data)} images of {digits.images[0].shape[0]} x {digits.images[0].shape[1]}")
    return digits.data, digits.target


@step
def split(images, labels, test_size, seed):
    """Keep a part aside that no model sees."""
    return train_test_split(images, labels, test_size=test_size, random_state=seed, stratify=labels)


@step
def scale(train, test):
    """Give every pixel mean 0 and variance 1, as measured on the training part."""
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


@step
def train_forest(images, labels, trees, seed):
    """Train a random forest."""
    return RandomForestClassifier(n_estimators=trees, random_state=seed).fit(images, labels)


@step
def train_svm(images, labels):
    """Train a support vector machine."""
    return SVC(gamma="scale", C=10).fit(images, labels)


@step
def evaluate(model, images, labels):
    """Measure a model on the part that it has not seen."""
    predicted = model.predict(images)
    accuracy = accuracy_score(labels, predicted)
    log_metric("accuracy", accuracy)
    print(confusion_matrix(labels, predicted))
    return {"model": type(model).__name__, "accuracy": round(float(accuracy), 4)}


@step
def report(scores):
    """Name the winner."""
    for score in sorted(scores, key=lambda score: -score["accuracy"]):
        print(f"{score['model']:<24} {score['accuracy']:.2%}")
    best = max(scores, key=lambda score: score["accuracy"])
    return f"{best['model']} reads {best['accuracy']:.2%} of the digits"


@pipeline(name="digits")
def digits(test_size: float = 0.25, trees: int = 200, seed: int = 42):
    """Compare a random forest with a support vector machine on handwritten digits."""
    images, labels = load()
    train, test, train_labels, test_labels = split(images, labels, test_size, seed)
    train, test = scale(train, test)
    forest = train_forest(train, train_labels, trees, seed)
    svm = train_svm(train, train_labels)
    forest_score = evaluate(forest, test, test_labels)
    svm_score = evaluate(svm, test, test_labels)
    return report([forest_score, svm_score])


if __name__ == "__main__":
    print(digits())
