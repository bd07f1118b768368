STARTED = __name__
