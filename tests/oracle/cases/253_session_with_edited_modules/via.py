import tool


def go():
    return tool.speed(), tool.T().f()
