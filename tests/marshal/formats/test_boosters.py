"""xgboost and lightgbm: boosters and estimators predict the same, to the last bit."""

import pytest

np = pytest.importorskip("numpy", reason="pip install numpy")

generator = np.random.default_rng(0)
X = generator.normal(size=(200, 5))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)


@pytest.fixture
def xgb():
    return pytest.importorskip("xgboost", reason="pip install xgboost")


@pytest.fixture
def lgb():
    return pytest.importorskip("lightgbm", reason="pip install lightgbm")


def boosted(xgb, **options):
    matrix = xgb.DMatrix(X, Y, feature_names=list("abcde"))
    return xgb.train({"objective": "binary:logistic", **options}, matrix, 10), matrix


@pytest.mark.parametrize(
    "options", [{}, {"booster": "gblinear"}, {"booster": "dart", "rate_drop": 0.2}], ids=str
)
def test_xgboost_booster(roundtrip, xgb, options):
    booster, matrix = boosted(xgb, **options)
    booster.set_attr(note="mine")
    after = roundtrip({"model": booster})["model"]
    assert (after.predict(matrix) == booster.predict(matrix)).all()
    assert after.attributes() == booster.attributes()
    assert after.feature_names == booster.feature_names
    assert after.save_config() == booster.save_config()
    assert after.save_raw() == booster.save_raw()


def test_xgboost_training_goes_on(roundtrip, xgb):
    booster, matrix = boosted(xgb)
    after = roundtrip(booster)
    params = {"max_depth": 3, "objective": "binary:logistic"}
    one, two = (xgb.train(params, matrix, 5, xgb_model=m) for m in (booster, after))
    assert (one.predict(matrix) == two.predict(matrix)).all()


@pytest.mark.parametrize("name", ["XGBClassifier", "XGBRegressor", "XGBRFClassifier"])
def test_xgboost_estimators(roundtrip, xgb, name):
    pytest.importorskip("sklearn", reason="pip install scikit-learn")
    model = getattr(xgb, name)(n_estimators=5).fit(X, Y)
    after = roundtrip(model)
    assert (after.predict(X) == model.predict(X)).all()
    assert after.get_params() == model.get_params() or np.isnan(after.missing)
    assert vars(after).keys() == vars(model).keys()


def described(matrix):
    data = matrix.get_data()
    floats = ["label_lower_bound", "label_upper_bound", "feature_weights"]
    return (
        [data.indptr.tolist(), data.indices.tolist(), data.data.tolist()],
        [matrix.get_label().tolist(), matrix.get_weight().tolist()],
        [matrix.get_base_margin().tolist(), matrix.get_uint_info("group_ptr").tolist()],
        [matrix.get_float_info(name).tolist() for name in floats],
        [matrix.feature_names, matrix.feature_types, matrix.nthread, str(matrix.missing)],
        [matrix.num_row(), matrix.num_col(), matrix.num_nonmissing()],
    )


@pytest.mark.parametrize(
    "options",
    [
        {"label": Y, "weight": np.ones(200), "base_margin": np.arange(200.0)},
        {
            "label": Y,
            "group": [150, 50],
            "feature_names": list("abcde"),
            "feature_types": ["float"] * 5,
        },
        {"label_lower_bound": Y, "label_upper_bound": Y + 1, "missing": 0.0, "nthread": 1},
        {"feature_weights": np.arange(5.0)},
    ],
    ids=lambda options: ",".join(options),
)
def test_xgboost_matrix(roundtrip, xgb, options):
    data = X.copy()
    data[::9, 2] = np.nan
    data[::8, 3] = 0
    matrix = xgb.DMatrix(data, **options)
    assert described(roundtrip(matrix)) == described(matrix)
    first, second = roundtrip([matrix, matrix])
    assert first is second


def test_xgboost_matrix_with_categories(roundtrip, xgb):
    pd = pytest.importorskip("pandas", reason="pip install pandas")
    frame = pd.DataFrame({"c": pd.Categorical(["x", "y", "x", "z"] * 20), "n": np.arange(80.0)})
    matrix = xgb.DMatrix(frame, Y[:80], enable_categorical=True)
    booster = xgb.train({}, matrix, 3)
    after = roundtrip(matrix)
    assert after.feature_types == matrix.feature_types
    assert (booster.predict(after) == booster.predict(matrix)).all()


def test_lightgbm_booster(roundtrip, lgb):
    booster = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(X, Y), 10)
    after = roundtrip([booster])[0]
    assert (after.predict(X) == booster.predict(X)).all()
    assert (after.predict(X, pred_contrib=True) == booster.predict(X, pred_contrib=True)).all()
    assert after.model_to_string() == booster.model_to_string()
    assert after.params == booster.params
    assert after.best_iteration == booster.best_iteration
    assert after.pandas_categorical == booster.pandas_categorical


@pytest.mark.parametrize("name", ["LGBMClassifier", "LGBMRegressor"])
def test_lightgbm_estimators(roundtrip, lgb, name):
    pytest.importorskip("sklearn", reason="pip install scikit-learn")
    pd = pytest.importorskip("pandas", reason="pip install pandas")
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = getattr(lgb, name)(n_estimators=5, verbose=-1).fit(frame, Y)
    after = roundtrip(model)
    assert (after.predict(frame) == model.predict(frame)).all()
    assert vars(after).keys() == vars(model).keys()
    assert after.get_params() == model.get_params()


def test_a_lightgbm_dataset_that_was_built_is_refused_by_name(store, lgb):
    from kalelite.errors import UnmarshallableError

    with pytest.raises(UnmarshallableError, match=r"Dataset|pointers"):
        store.save({"data": lgb.Dataset(X, Y).construct()})
