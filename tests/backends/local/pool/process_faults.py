"""What steps may do to their processes: in a module of its own, because tasks import it again."""

import os
import subprocess
import time
from pathlib import Path


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


def prints_binary():
    os.write(1, bytes(range(256)))
    print("lone surrogate \udc80, no newline", end="")
    print("\rbar", end="")


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


def prints_without_end():
    chunk = b"x" * 99 + b"\n"
    os.write(1, b"first line\n")
    for _ in range(300):
        os.write(1, chunk * 2000)
    os.write(1, b"last line\n")


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
    threading.Thread(target=time.sleep, args=(300,), daemon=True).start()


def leaves_a_hanging_exit_function():
    import atexit

    atexit.register(time.sleep, 300)


def registers_an_exit_function(folder):
    import atexit

    atexit.register(Path(folder, "left").touch)


def changes_everything(folder):
    import signal

    os.chdir("/")
    os.umask(0o777)
    os.environ.clear()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return 1


def uses_a_pool():
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(abs, [-1, -2]))


def removes_its_folder(folder):
    import shutil

    shutil.rmtree(Path(folder, "home", "runs"))


def is_asked_to_end():
    os.kill(os.getpid(), 15)


def comes_back_twice():
    return os.fork() == 0


def raises_in_a_child():
    if os.fork() == 0:
        raise ValueError("only in the child")
    os.wait()
    return "the parent"


def stops_at_a_breakpoint():
    import pdb

    pdb.Pdb(nosigint=True, readrc=False).set_trace()
    return 1
