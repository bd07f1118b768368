def times(n, by):
    return n * by
