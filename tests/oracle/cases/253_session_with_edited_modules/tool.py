BASE = 1


class T:
    def f(self):
        return 'slowT'


def helper():
    return 'slow' + str(BASE)


def speed():
    return helper()
