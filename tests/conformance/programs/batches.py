"""Items of loops share pods in batches: known when compiled, when it runs, in another loop."""

from kalelite import Collected, ParallelFor, pipeline, step


@step
def numbers(count: int) -> list[int]:
    return list(range(count))


@step
def words(count: int) -> list:
    return [("word", number) for number in range(count)]


@step
def double(x: int) -> int:
    return 2 * x


@step
def second(pair) -> int:
    return pair[1]


@step
def joined(*lists) -> list:
    return list(lists)


@pipeline
def main(count: int = 5, given: list = [3, 4, 5]):
    with ParallelFor([1, 2, 3, 4, 5], per_pod=2) as item:
        one = double(double(item))
    with ParallelFor(numbers(count), per_pod=3, parallelism=2) as item:
        two = double(item)
    with ParallelFor(words(count), per_pod=4) as item:
        three = second(item)
    with ParallelFor(given, per_pod=2) as item:
        four = double(item)
    with ParallelFor([10, 20]) as outer:
        with ParallelFor([1, 2, 3], per_pod=2) as inner:
            five = joined(outer, inner)
    with ParallelFor(numbers.options(name="none")(0), per_pod=2) as item:
        six = double.options(name="never")(item)
    return joined(
        Collected(one),
        Collected(two),
        Collected(three),
        Collected(four),
        Collected(five),
        Collected(six),
    )


EXPECTED = [
    [4, 8, 12, 16, 20],
    [0, 2, 4, 6, 8],
    [0, 1, 2, 3, 4],
    [6, 8, 10],
    [[[10, 1], [10, 2], [10, 3]], [[20, 1], [20, 2], [20, 3]]],
    [],
]
RAN = {"second": 5}
