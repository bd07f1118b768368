"""scikit-learn: fitted estimators predict the same, to the last bit."""

import pickle

import pytest

np = pytest.importorskip("numpy", reason="pip install numpy")
sklearn = pytest.importorskip("sklearn", reason="pip install scikit-learn")

from sklearn import (
    cluster,
    compose,
    decomposition,
    ensemble,
    feature_extraction,
    gaussian_process,
    linear_model,
    model_selection,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

generator = np.random.default_rng(0)
X = generator.normal(size=(120, 6))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)

ESTIMATORS = [
    linear_model.LogisticRegression(),
    linear_model.SGDClassifier(random_state=np.random.RandomState(3)),
    tree.DecisionTreeClassifier(random_state=0),
    ensemble.RandomForestClassifier(5, random_state=0),
    ensemble.GradientBoostingClassifier(n_estimators=5, random_state=0),
    ensemble.HistGradientBoostingClassifier(max_iter=5, random_state=0),
    svm.SVC(),
    neighbors.KNeighborsClassifier(),
    naive_bayes.GaussianNB(),
    gaussian_process.GaussianProcessClassifier(),
    neural_network.MLPClassifier((5,), max_iter=3000, tol=0.1, random_state=0),
    cluster.KMeans(3, n_init=1, random_state=0),
    model_selection.GridSearchCV(
        tree.DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}
    ),
]


def attributes(estimator):
    return {k for k in vars(estimator) if not k.startswith("__")}


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_fitted_estimators(roundtrip, estimator):
    fitted = sklearn.clone(estimator).fit(X, Y)
    after = roundtrip({"model": fitted})["model"]
    assert type(after) is type(fitted)
    assert attributes(after) == attributes(fitted)
    assert (after.predict(X) == fitted.predict(X)).all()
    if hasattr(fitted, "predict_proba"):
        assert (after.predict_proba(X) == fitted.predict_proba(X)).all()


@pytest.mark.parametrize("estimator", ESTIMATORS[:4], ids=lambda e: type(e).__name__)
def test_a_loaded_estimator_can_be_fitted_again(store, estimator):
    fitted = sklearn.clone(estimator).fit(X, Y)
    reference = store.save(fitted)
    store.load(reference).fit(X[::-1], 1 - Y)
    assert (store.load(reference).predict(X) == fitted.predict(X)).all()


def test_pipeline_with_lambdas(roundtrip):
    model = pipeline.make_pipeline(
        preprocessing.FunctionTransformer(lambda x: x * 2),
        compose.ColumnTransformer(
            [
                ("scaled", preprocessing.StandardScaler(), [0, 1]),
                ("own", preprocessing.FunctionTransformer(lambda x: np.abs(x)), [2]),
            ],
            remainder=decomposition.PCA(2, random_state=0),
        ),
        linear_model.LogisticRegression(),
    ).fit(X, Y)
    assert (roundtrip(model).predict_proba(X) == model.predict_proba(X)).all()


def test_text_and_frames(roundtrip):
    pd = pytest.importorskip("pandas", reason="pip install pandas")
    texts = [f"word{i % 7} and word{i % 3}" for i in range(120)]
    model = pipeline.make_pipeline(
        feature_extraction.text.TfidfVectorizer(), linear_model.LogisticRegression()
    ).fit(texts, Y)
    assert (roundtrip(model).predict_proba(texts) == model.predict_proba(texts)).all()
    frame = pd.DataFrame(X, columns=list("abcdef"))
    scaler = preprocessing.StandardScaler().set_output(transform="pandas").fit(frame)
    pd.testing.assert_frame_equal(roundtrip(scaler).transform(frame), scaler.transform(frame))


def test_random_state_goes_on_where_it_stopped(roundtrip):
    state = np.random.RandomState(5)
    model = ensemble.RandomForestClassifier(3, random_state=state)
    after = roundtrip(model)
    assert (model.fit(X, Y).predict_proba(X) == after.fit(X, Y).predict_proba(X)).all()


def test_a_forest_is_not_larger_than_its_pickle(store):
    forest = ensemble.RandomForestClassifier(20, random_state=0).fit(X, Y)
    assert store.describe(store.save(forest)).size < 1.3 * len(pickle.dumps(forest, 5))
