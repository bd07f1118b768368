"""Which format saves what, what is active, and how others join in."""

import subprocess
import sys
import textwrap

import pytest

from kalelite.errors import MarshalError, UsageError
from kalelite.marshal import Format, Store, register


def run(program, *arguments, check=True, **options):
    """Run a program in a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        **options,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_nothing_is_imported_that_the_user_did_not_import(tmp_path):
    program = """
    import sys
    from kalelite.marshal import Store, formats_status
    store = Store(sys.argv[1], digest="sha256")
    for value in (1, "x", {"a": [1]}, (1, 2), {3}):
        assert store.load(store.save(value)) == value
    formats_status()
    heavy = {"numpy", "pandas", "torch", "sklearn", "pyarrow", "polars", "scipy", "dill", "cloudpickle", "xxhash"}
    print(sorted(heavy & set(sys.modules)))
    """
    assert run(program, tmp_path) == "[]\n"


def test_threads_that_save_at_once_in_a_fresh_process_use_the_same_formats(tmp_path):
    program = """
    import sys, threading
    import numpy as np
    from kalelite.marshal import Store
    store, references, start = Store(sys.argv[1]), [], threading.Barrier(8)
    def work():
        start.wait()
        references.append(store.save({"a": np.arange(100_000).astype("M8[s]")}))
        references.append(store.save(np.arange(9)))
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(len(references), len(set(references)))
    """
    assert run(program, tmp_path) == "16 2\n"


def test_status_tells_active_from_waiting():
    program = """
    import numpy
    from kalelite.marshal import formats_status
    lines = {line.root: line for line in formats_status()}
    print(lines["numpy"].state, lines["numpy"].encodings)
    print(lines["torch"].state, lines["torch"].reason)
    """
    out = run(program)
    assert "active ('numpy.npy/1', 'numpy.scalar/1')" in out
    assert "waiting waiting for a value from 'torch'" in out


@pytest.fixture
def plugin(tmp_path):
    """A distribution that brings formats: one that works, one that does not."""
    site = tmp_path / "site"
    (site / "plug-1.0.dist-info").mkdir(parents=True)
    (site / "plug-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n"
    )
    (site / "plug-1.0.dist-info" / "entry_points.txt").write_text(
        "[kalelite.formats]\nboxes = plug_formats\ncrates = plug_broken\n"
    )
    (site / "boxes.py").write_text(
        "class Box:\n    def __init__(self, data): self.data = data\n    __reduce__ = None\n"
    )
    (site / "crates.py").write_text("class Crate: pass\n")
    (site / "plug_broken.py").write_text("import a_library_that_is_missing\n")
    (site / "plug_formats.py").write_text(
        textwrap.dedent("""
        from boxes import Box
        from kalelite.marshal import Format, register

        class BoxFormat(Format):
            encoding = "boxes.box/1"
            suffix = ".box"
            def claims(self, value): return type(value) is Box
            def dump(self, value): return {"n": len(value.data)}, [value.data]
            def load(self, header, frames): return Box(bytes(frames[0]))

        register(Box, BoxFormat())
    """)
    )
    return site


def test_another_distribution_brings_a_format(plugin, tmp_path):
    program = """
    import sys
    from kalelite.marshal import Store, formats_status
    store = Store(sys.argv[1])
    if len(sys.argv) == 2:
        from boxes import Box
        from crates import Crate
        print(store.save(Box(b"abc")))
        assert type(store.load(store.save(Crate()))) is Crate
        for line in formats_status():
            if line.source == "plug":
                print(line.root, line.state, line.encodings, line.reason)
    else:
        print(store.load(sys.argv[2]).data)
    """
    environment = {"PYTHONPATH": str(plugin)}
    out = run(program, tmp_path / "s", env=environment)
    reference, boxes, crates = out.splitlines()
    assert boxes == "boxes active ('boxes.box/1',) "
    assert (
        crates
        == "crates broken () ModuleNotFoundError: No module named 'a_library_that_is_missing'"
    )
    assert run(program, tmp_path / "s", reference, env=environment) == "b'abc'\n"
    without = run(program, tmp_path / "s", reference, check=False)
    assert "nothing here reads the encoding 'boxes.box/1'" in without


def test_a_type_of_ones_own(tmp_path):
    program = """
    import sys, threading
    import numpy as np
    import kalelite.marshal
    from kalelite.marshal import Store

    class Mesh:
        def __init__(self, points):
            self.points = points
            self.lock = threading.Lock()

    kalelite.marshal.register(Mesh, save=lambda mesh: mesh.points, load=Mesh)
    store = Store(sys.argv[1])
    mesh = Mesh(np.arange(100_000))
    print(store.save({"mesh": mesh, "again": mesh}))
    assert [format.cls for format in kalelite.marshal.user_formats()] == [Mesh]
    """
    reference = run(program, tmp_path).strip()
    reader = """
    import sys
    from kalelite.marshal import Store
    store = Store(sys.argv[1])
    value = store.load(sys.argv[2])  # nothing is registered here
    assert value["mesh"] is value["again"]
    assert type(value["mesh"]).__name__ == "Mesh"
    assert value["mesh"].lock.acquire()
    print(value["mesh"].points.sum())
    """
    assert run(reader, tmp_path, reference) == f"{sum(range(100_000))}\n"


def test_a_class_that_travels_by_value_brings_its_registration(tmp_path):
    script = """
    import sys, cloudpickle, threading
    import kalelite.marshal

    class Handle:
        def __init__(self, name):
            self.name, self.lock = name, threading.Lock()

    kalelite.marshal.register(Handle, save=lambda handle: handle.name, load=Handle)
    open(sys.argv[1], "wb").write(cloudpickle.dumps(lambda: Handle("x")))
    """
    step = """
    import sys, pickle
    from kalelite.marshal import Store
    handle = pickle.load(open(sys.argv[1], "rb"))()
    store = Store(sys.argv[2])
    print(store.load(store.save([handle]))[0].name)
    """
    run(script, tmp_path / "code")
    assert run(step, tmp_path / "code", tmp_path / "s") == "x\n"


def test_an_encoding_belongs_to_one_format():
    class Other(Format):
        encoding = "plain.json/1"

        def claims(self, value):
            return True

        def dump(self, value):
            return {}, []

        def load(self, header, frames):
            return None

    with pytest.raises(ValueError, match="belongs to Plain"):
        register(Other, Other())


# ---- digests


def test_a_store_written_with_one_digest_is_read_with_another(tmp_path):
    one, two = (Store(tmp_path / "s", digest=name) for name in ("sha256", "xxh3"))
    references = [one.save([1]), two.save([1])]
    assert [reference.partition("-")[0] for reference in references] == ["sha256", "xxh3"]
    assert one.load(references[1]) == two.load(references[0]) == [1]


def test_without_xxhash_sha256_is_written_and_xxh3_is_told(tmp_path):
    program = """
    import sys
    sys.modules["xxhash"] = None
    from kalelite.marshal import Store
    store = Store(sys.argv[1])
    print(store.save([1]).partition("-")[0])
    try:
        store.load(sys.argv[2])
    except Exception as error:
        print(type(error).__name__, error)
    """
    reference = Store(tmp_path / "s", digest="xxh3").save([2])
    out = run(program, tmp_path / "s", reference)
    assert out.startswith("sha256\nMarshalError this value was stored with an xxh3 digest")
    assert 'digest="sha256"' in out


@pytest.mark.parametrize("setting", [{"digest": "md5"}, {"verify": "never"}])
def test_settings_are_checked(tmp_path, setting):
    with pytest.raises(UsageError):
        Store(tmp_path, **setting)


# ---- versions


def test_a_difference_of_versions_is_told_when_reading_fails(tmp_path, monkeypatch):
    import fractions

    store = Store(tmp_path / "s")
    monkeypatch.setattr(fractions, "__version__", "1.0", raising=False)
    reference = store.save([fractions.Fraction(1, 2)])
    monkeypatch.setattr(fractions, "__version__", "2.0")
    with pytest.warns(match="fractions 1.0 wrote it, fractions 2.0 is here"):
        assert store.load(reference)[0] == fractions.Fraction(1, 2)
    monkeypatch.delattr(fractions, "Fraction")
    with pytest.raises(
        MarshalError, match=r"fractions 1.0 wrote it, fractions 2.0 is here"
    ) as caught:
        store.load(reference)
    assert type(caught.value).__name__ == "VersionMismatchError"


def test_a_missing_library_is_named(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "only_here.py").write_text("class Thing: pass\n")
    program = """
    import sys
    from kalelite.marshal import Store
    import only_here
    print(Store(sys.argv[1]).save([only_here.Thing()]))
    """
    reference = run(program, tmp_path / "s", env={"PYTHONPATH": str(site)}).strip()
    with pytest.raises(MarshalError, match="the module 'only_here' is not installed here"):
        Store(tmp_path / "s").load(reference)


def test_what_needs_no_library_is_active_and_says_its_encodings():
    program = """
    from kalelite.marshal import formats_status
    lines = {line.root: (line.state, *line.encodings) for line in formats_status()}
    print(lines["plain"], "pickle/1" in lines["pickle"], "builtins" in lines)
    """
    assert run(program) == "('active', 'plain.json/1') True False\n"


def test_code_of_another_python_is_refused_and_plain_pickles_are_read(tmp_path, monkeypatch):
    from kalelite.marshal import codec

    store = Store(tmp_path / "s")
    monkeypatch.setattr(codec, "_PYTHON", "3.2.1")
    code, data = store.save([lambda: 1]), store.save([(1, 2)])
    monkeypatch.undo()
    store = Store(tmp_path / "s")
    assert store.load(data) == [(1, 2)]  # warnings are errors here
    with pytest.raises(MarshalError, match=r"python 3.2.1 wrote it.*holds code") as caught:
        store.load(code)
    assert type(caught.value).__name__ == "VersionMismatchError"
