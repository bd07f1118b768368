"""The same work without any runner: calls, with a file between them."""

import pickle
import sys
import time

import numpy as np


def chain(n):
    begun = time.perf_counter()
    value = 0
    for number in range(n):
        with open(f"{number}.pkl", "wb") as file:
            pickle.dump(value + 1, file)
        with open(f"{number}.pkl", "rb") as file:
            value = pickle.load(file)
    print((time.perf_counter() - begun) / n * 1000)


def array(n):
    np.save("0.npy", np.ones(12_500_000))
    for number in range(1, n):
        value = np.load(f"{number - 1}.npy")
        value[0] += 1
        np.save(f"{number}.npy", value)


if __name__ == "__main__":
    {"chain": chain, "array": array}[sys.argv[1]](int(sys.argv[2]))
