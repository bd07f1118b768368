from .kinds import show, Temp, Money
Money.rates["usd"] = 1.1
@show.register(Temp)
def show_temp(t):
    return f"{t.c} deg"
@show.register(list)
def _(x):
    return f"list of {len(x)}"
