"""torch: tensors of all kinds, what they share, modules and optimizers."""

import pickle
import warnings

import pytest

torch = pytest.importorskip("torch", reason="pip install torch")

BIG = (300, 100)  # over the size from which storages are mapped

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
    torch.float8_e4m3fn, torch.float8_e5m2,
]  # fmt: skip


def assert_same(before, after):
    assert type(after) is type(before)
    assert after.dtype == before.dtype
    assert after.layout == before.layout
    assert after.shape == before.shape
    assert after.requires_grad == before.requires_grad
    if before.layout == torch.strided:
        assert after.stride() == before.stride()
        assert after.is_conj() == before.is_conj()
        assert after.is_neg() == before.is_neg()
    a, b = (
        t.detach().to_dense() if t.layout != torch.strided else t.detach() for t in (before, after)
    )
    a, b = (t.view(torch.uint8) if "float8" in str(t.dtype) else t for t in (a, b))
    assert torch.equal(a, b)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (5,), (2, 3, 4), BIG])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_and_shape(roundtrip, dtype, shape):
    assert_same(tensor := torch.ones(shape).to(dtype), roundtrip(tensor))


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.T,
        lambda t: t[3:7, ::2],
        lambda t: t[0].expand(5, 100),
        lambda t: t.to(torch.complex64).conj(),
        lambda t: t.to(torch.complex64).conj().imag,
        lambda t: t.to_sparse(),
        lambda t: t.to_sparse_csr(),
        lambda t: t.clone().requires_grad_(),
        lambda t: torch.nn.Parameter(t),
        lambda t: torch.nn.Parameter(t, requires_grad=False),
        lambda t: t.contiguous(memory_format=torch.contiguous_format),
    ],
    ids=range(11),
)
def test_every_kind_of_tensor(roundtrip, make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sparse layouts are announced as beta
        tensor = make(torch.randn(BIG))
        assert_same(tensor, roundtrip(tensor))


def test_quantized_tensor(roundtrip):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates the type
        tensor = torch.quantize_per_tensor(torch.randn(BIG), 0.1, 3, torch.qint8)
        after = roundtrip(tensor)
        assert torch.equal(tensor.int_repr(), after.int_repr())
        assert (tensor.q_scale(), tensor.q_zero_point()) == (after.q_scale(), after.q_zero_point())


def test_meta_tensor_has_no_memory(roundtrip):
    after = roundtrip(torch.empty(3, device="meta"))
    assert after.device.type == "meta"
    assert after.shape == (3,)


def test_views_go_on_sharing_memory(roundtrip):
    base = torch.zeros(BIG)
    base2, row, parameter, turned = roundtrip([base, base[3], torch.nn.Parameter(base), base.T])
    base2[3, 0] = 7
    assert row[0] == 7
    assert parameter[3, 0] == 7
    assert turned[0, 3] == 7


def test_one_tensor_in_two_places_stays_one(roundtrip):
    tensor = torch.zeros(BIG)
    first, second = roundtrip({"a": tensor, "b": [tensor]}).values()
    assert first is second[0]


@pytest.mark.parametrize("shape", [(5,), BIG])
def test_a_step_may_write_to_what_it_gets(store, shape):
    reference = store.save({"weights": torch.zeros(shape)})
    loaded = store.load(reference)["weights"]
    loaded += 1
    store.settle()
    assert loaded.sum() == loaded.numel()
    assert store.load(reference)["weights"].sum() == 0


def test_a_large_tensor_is_mapped_not_read(store, anonymous):
    reference = store.save(torch.ones(32_000_000))
    before = anonymous()

    loaded = store.load(reference)
    store.settle()

    assert anonymous() - before < 64_000_000, "128 MB were copied"
    assert loaded[-1] == 1


def trained():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(10, 20), torch.nn.BatchNorm1d(20), torch.nn.Linear(20, 1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(4, 10) * torch.arange(4)[:, None]).sum().backward()
        optimizer.step()
    return model, optimizer


def test_training_goes_on_as_if_it_had_not_stopped(roundtrip):
    model, optimizer = trained()
    model2, optimizer2 = roundtrip((model, optimizer))
    assert optimizer2.param_groups[0]["params"][0] is next(model2.parameters())
    for m, o in ((model, optimizer), (model2, optimizer2)):
        m(torch.ones(4, 10)).sum().backward()  # onto the gradients of the last step
        o.step()
    for (name, a), (name2, b) in zip(
        model.state_dict().items(), model2.state_dict().items(), strict=True
    ):
        assert name == name2
        assert torch.equal(a, b)


def test_gradients_come_along(roundtrip):
    model, _ = trained()
    for a, b in zip(model.parameters(), roundtrip(model).parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


def test_state_dict_keeps_its_order_type_and_metadata(roundtrip):
    state = trained()[0].state_dict()
    after = roundtrip(state)
    assert type(after) is type(state)
    assert list(after) == list(state)
    assert after._metadata == state._metadata


def test_tied_weights_stay_tied(roundtrip):
    model = torch.nn.Sequential(torch.nn.Linear(5, 5), torch.nn.Linear(5, 5))
    model[1].weight = model[0].weight
    after = roundtrip(model)
    assert after[0].weight is after[1].weight


def test_module_of_the_users_own_with_a_lambda(roundtrip):
    class Scale(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor(2.0))
            self.after = lambda x: x + 1

        def forward(self, x):
            return self.after(self.factor * x)

    assert roundtrip(Scale())(torch.tensor(3.0)) == 7


def test_scripted_module(roundtrip):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates the type
        model = torch.jit.script(torch.nn.Linear(3, 2))
    after = roundtrip({"model": model})["model"]
    assert torch.equal(after(torch.ones(3)), model(torch.ones(3)))


def test_random_generator_goes_on_where_it_stopped(roundtrip):
    generator = torch.Generator().manual_seed(5)
    torch.rand(3, generator=generator)
    after = roundtrip(generator)
    assert torch.equal(torch.rand(3, generator=generator), torch.rand(3, generator=after))


@pytest.mark.parametrize("size", [8, 100_000])
def test_a_tensor_of_an_absent_device_is_on_the_cpu_with_a_note(size):
    """As it looks in a reader without CUDA."""
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA: nothing is absent")
    from kalelite.marshal.formats._torch import rebuild_storage

    with pytest.warns(RuntimeWarning, match="saved on cuda:0 is on the CPU"):
        storage = rebuild_storage(bytearray(b"\x01" * size), "cuda:0")
    assert storage.device.type == "cpu"
    assert storage.nbytes() == size
    assert storage[size - 1] == 1


def test_what_torch_cannot_pickle_is_refused_by_name(store):
    from kalelite.errors import UnmarshallableError

    with pytest.raises((UnmarshallableError, pickle.PicklingError), match="finfo"):
        store.save({"info": torch.finfo(torch.float32)})
