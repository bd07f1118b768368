"""A class of a library, registered in the script: each step stores it the script's way."""

import sqlite3

from kalelite import pipeline, step
from kalelite.marshal import register


def dump(connection):
    return list(connection.iterdump())


register(
    sqlite3.Connection,
    save=dump,
    load=lambda lines: [c := sqlite3.connect(":memory:"), c.executescript("".join(lines))][0],
)


@step
def make():
    connection = sqlite3.connect(":memory:")
    connection.executescript("create table t (x); insert into t values (42);")
    return {"base": connection}


@step
def hand_on(found):
    return found["base"]


@step
def read(connection):
    return connection.execute("select x from t").fetchone()[0]


@pipeline
def main():
    return read(hand_on(make()))


EXPECTED = 42
