"""Functions that decorators have wrapped before they became steps."""

import contextlib
import functools

from kalelite import pipeline, step


def told(function):
    @functools.wraps(function)
    def call(*args, **named):
        return "told", function(*args, **named)

    return call


def times(number):
    def decorate(function):
        @functools.wraps(function)
        def call(*args, **named):
            return [function(*args, **named)] * number

        return call

    return decorate


entered = []


@contextlib.contextmanager
def noted(what):
    entered.append(what)
    yield
    entered.append(f"end of {what}")


class Quiet(contextlib.ContextDecorator):
    def __enter__(self):
        entered.append("quiet")

    def __exit__(self, *_):
        return False


@step
@told
@times(2)
def a(x):
    return x


@step(retries=1)
@noted("b")
@Quiet()
def b(x):
    return x * 2, list(entered)


count = step(functools.wraps(len)(lambda x: len(x)))


@pipeline
def main():
    return a(1), b(3), b(b(1)[0])[0], count([1, 2])


if __name__ == "__main__":
    print("RESULT", main())
