"""torch's own generator and one that the script makes: the first step draws what the script would.

Right: and no other step draws the same.
"""
# /// case
# needs = ["torch"]
# ways = ["local", "debug", "compiled"]
# lines = ["RESULT True 6"]
# ///

import torch

from kalelite import Collected, ParallelFor, pipeline, step

torch.manual_seed(1)
generator = torch.Generator().manual_seed(2)


@step
def draw(item=0):
    return torch.rand(1).item(), torch.rand(1, generator=generator).item()


@step
def whole(first, rows):
    return first, rows


@pipeline
def main():
    first = draw()
    with ParallelFor([1, 1]) as item:
        drawn = draw(item)
    return whole(first, Collected(drawn))


if __name__ == "__main__":
    first, rows = main()
    torch.manual_seed(1)
    own = torch.Generator().manual_seed(2)
    right = torch.rand(1).item(), torch.rand(1, generator=own).item()
    numbers = {number for row in (first, *rows) for number in row}
    print("RESULT", tuple(first) == right, len(numbers))
