"""keras: models, layers and optimizers, by keras' own file inside the pickle."""

import os

import pytest

np = pytest.importorskip("numpy", reason="pip install numpy")
if "KERAS_BACKEND" not in os.environ:
    pytest.importorskip("torch", reason="pip install torch, or set KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "torch"
keras = pytest.importorskip("keras", reason="pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # keras and its backend warn about each other

X = np.random.default_rng(0).random((64, 4)).astype("f4")
Y = (X.sum(1) > 2).astype("f4")


def trained():
    layers = [
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential([keras.layers.Input((4,)), *layers])
    model.compile(keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    model.fit(X, Y, epochs=2, verbose=0)
    return model


def test_predictions_weights_and_names(roundtrip):
    model = trained()
    after = roundtrip({"model": model})["model"]
    assert type(after) is type(model)
    assert (after.predict(X, verbose=0) == model.predict(X, verbose=0)).all()
    assert [layer.name for layer in after.layers] == [layer.name for layer in model.layers]
    assert after.loss == model.loss


def test_training_goes_on_as_if_it_had_not_stopped(roundtrip):
    model = trained()
    after = roundtrip(model)
    for m in (model, after):
        m.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    assert (after.predict(X, verbose=0) == model.predict(X, verbose=0)).all()


def test_random_generators_go_on_where_they_stopped(roundtrip):
    layer = keras.layers.Dropout(0.5)
    layer(np.ones((2, 2), "f4"), training=True)
    for own, other in zip(layer.variables, roundtrip(layer).variables, strict=True):
        assert (own.numpy() == other.numpy()).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.Dense(3),
        lambda: keras.optimizers.SGD(0.1),
        lambda: keras.losses.Huber(2.0),
    ],
    ids=["layer", "optimizer", "loss"],
)
def test_parts_of_a_model(roundtrip, make):
    part = make()
    assert roundtrip(part).get_config() == part.get_config()


def test_a_class_that_keras_does_not_know_is_refused(store):
    from kalelite.errors import UnmarshallableError

    class Mine(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(UnmarshallableError, match="register_keras_serializable"):
        store.save(Mine())
