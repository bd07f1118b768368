"""Whatever a step does to its process, the run goes on and says in words what happened."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from kalelite.backends.local import LocalSettings, run_plan
from kalelite.backends.local.events import NullReporter
from kalelite.plan.pipeline import pipeline
from kalelite.plan.step import step


@pytest.fixture
def run_alone(tmp_path):
    """Run one step; gives its record, its log, and whether an unrelated step ran."""

    def run_it(function, *args, **settings):
        @step
        def beside():
            return "ran"

        decorated = step(function)

        @pipeline
        def both():
            decorated(*args)
            return beside()

        given = {"home": tmp_path / "home", "jobs": 2, "preload": False, **settings}
        result = run_plan(both.plan(), {}, settings=LocalSettings(**given), reporter=NullReporter())
        (name,) = result.records.keys() - {"beside"}
        run_it.log = (result.folder / "tasks" / name / "log.txt").read_bytes()
        assert result.value == "ran"
        return result.records[name]

    return run_it


def raises_base_exception():
    class Odd(BaseException):
        pass

    raise Odd("strange")


def raises_what_cannot_be_pickled():
    class Held(Exception):
        def __init__(self):
            import threading

            super().__init__("held")
            self.lock = threading.Lock()

        def __reduce__(self):
            raise TypeError("no")

    raise Held


def raises_with_a_broken_str():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("even this")

    raise Mute


def exits_with_zero():
    import sys

    sys.exit(0)


def exits_with_words():
    import sys

    sys.exit("bad luck")


def leaves_with_zero():
    os._exit(0)


def leaves_with_three():
    os._exit(3)


def is_killed():
    os.kill(os.getpid(), 9)


def aborts():
    os.abort()


def reads_nowhere():
    import ctypes

    ctypes.string_at(0)


def overflows_the_stack():
    import ctypes

    # A function of C that calls back into Python, and so uses the stack of C at each level.
    kind = ctypes.CFUNCTYPE(None)

    def down():
        kind(down)()

    import sys

    sys.setrecursionlimit(10**6)
    down()


def recurses():
    def down():
        return down()

    down()


@pytest.mark.parametrize(
    ("function", "type", "words"),
    [
        (raises_base_exception, "Odd", "strange"),
        (raises_what_cannot_be_pickled, "Held", "held"),
        (raises_with_a_broken_str, "Mute", ""),
        (exits_with_zero, "SystemExit", ""),
        (exits_with_words, "SystemExit", "bad luck"),
        (leaves_with_zero, "ProcessEnded", "ended by itself with exit code 0 before"),
        (leaves_with_three, "ProcessEnded", "exit code 3"),
        (is_killed, "ProcessKilled", r"killed \(SIGKILL\), by a person or for want of memory"),
        (aborts, "ProcessKilled", "SIGABRT"),
        (reads_nowhere, "ProcessKilled", "SIGSEGV"),
        (overflows_the_stack, "ProcessKilled", "SIGSEGV"),
        (recurses, "RecursionError", "maximum recursion depth"),
    ],
)
def test_an_end_is_told_in_words(run_alone, function, type, words):
    record = run_alone(function)

    assert record.status == "failed"
    assert record.failure.type.rpartition(".")[2] == type
    assert re.search(words, record.failure.message)


def test_a_crash_leaves_the_line_of_python_in_the_log(run_alone):
    run_alone(reads_nowhere)

    assert b"in reads_nowhere" in run_alone.log


def test_the_record_of_a_crash_is_on_the_disk(run_alone, tmp_path):
    run_alone(leaves_with_zero)

    (path,) = (tmp_path / "home").glob("runs/*/tasks/leaves-with-zero/record.json")
    assert "ended by itself" in path.read_text()


def prints_binary():
    os.write(1, bytes(range(256)))
    print("lone surrogate \udc80, no newline", end="")
    print("\rbar", end="")


def test_binary_output_is_kept_as_it_is(run_alone):
    assert run_alone(prints_binary).status == "succeeded"

    assert run_alone.log.startswith(bytes(range(256)))
    assert run_alone.log.endswith(rb"lone surrogate \udc80, no newline" + b"\rbar")


def closes_its_output():
    import sys

    sys.stdout.close()
    os.close(2)
    return 1


def closes_every_descriptor():
    os.closerange(0, 256)


def prints_by_c():
    import ctypes

    ctypes.CDLL(None).printf(b"from C")


@pytest.mark.parametrize("function", [closes_its_output, closes_every_descriptor])
def test_closed_streams_do_no_harm(run_alone, function):
    assert run_alone(function).status == "succeeded"


def test_what_compiled_code_prints_is_kept(run_alone):
    run_alone(prints_by_c)

    assert run_alone.log == b"from C"


def prints_without_end():
    chunk = b"x" * 99 + b"\n"
    os.write(1, b"first line\n")
    for _ in range(300):
        os.write(1, chunk * 2000)
    os.write(1, b"last line\n")


def test_a_flood_is_cut_in_the_middle(run_alone):
    run_alone(prints_without_end, log_limit=1 << 20)

    assert len(run_alone.log) < 2 << 20
    assert run_alone.log.startswith(b"first line\n")
    assert run_alone.log.endswith(b"last line\n")
    assert b"MB of output left out" in run_alone.log


def leaves_a_child(folder):
    child = subprocess.Popen(["sleep", "300"])
    Path(folder, "pid").write_text(str(child.pid))


def leaves_a_daemon(folder):
    """Forks twice into a session of its own, and keeps the log open."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            Path(folder, "pid").write_text(str(os.getpid()))
            time.sleep(300)
        os._exit(0)
    while not Path(folder, "pid").exists():
        time.sleep(0.01)


def leaves_a_thread(folder):
    import threading

    Path(folder, "pid").write_text("0")
    threading.Thread(target=time.sleep, args=(300,)).start()


@pytest.mark.parametrize("function", [leaves_a_child, leaves_a_daemon, leaves_a_thread])
def test_what_a_step_leaves_behind_is_ended(run_alone, tmp_path, function):
    begun = time.monotonic()
    record = run_alone(function, str(tmp_path))

    assert record.status == "succeeded"
    assert time.monotonic() - begun < 60
    pid = int((tmp_path / "pid").read_text())
    if pid:
        _gone(pid)


def _gone(pid, seconds=20):
    """Wait until a process has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except FileNotFoundError:
            return
        if stat.rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} still lives")


def leaves_a_hanging_exit_function():
    import atexit

    atexit.register(time.sleep, 300)


@pytest.mark.slow
def test_an_exit_function_that_hangs_is_ended(run_alone):
    begun = time.monotonic()

    assert run_alone(leaves_a_hanging_exit_function).status == "succeeded"
    assert time.monotonic() - begun < 60


def registers_an_exit_function(folder):
    import atexit

    atexit.register(Path(folder, "left").touch)


def test_exit_functions_run(run_alone, tmp_path):
    run_alone(registers_an_exit_function, str(tmp_path))

    assert (tmp_path / "left").exists()


def changes_everything(folder):
    import signal

    os.chdir("/")
    os.umask(0o777)
    os.environ.clear()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return 1


def test_changes_stay_in_the_process(run_alone, tmp_path):
    cwd, env = os.getcwd(), dict(os.environ)

    assert run_alone(changes_everything, str(tmp_path)).status == "succeeded"
    assert (os.getcwd(), dict(os.environ)) == (cwd, env)


def uses_a_pool():
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(abs, [-1, -2]))


def test_a_step_may_have_processes_of_its_own(run_alone):
    assert run_alone(uses_a_pool).status == "succeeded"


def removes_its_folder(folder):
    import shutil

    shutil.rmtree(Path(folder, "home", "runs"))


def test_a_run_whose_records_vanish_ends(tmp_path):
    vanish = step(removes_its_folder)

    @pipeline
    def vanishing():
        vanish(str(tmp_path))

    settings = LocalSettings(home=tmp_path / "home", preload=False)
    result = run_plan(vanishing.plan(), {}, settings=settings, reporter=NullReporter())

    assert result.state == "succeeded"
