"""Letters of the world in names, texts and documentation."""
# Names in any script are the point of this program.

from kalelite import If, ParallelFor, pipeline, step


@step(name="größe")
def groesse(näme, wert="ß"):
    """Größe: "quoted", 'quoted', {{braces}}, `ticks`, $dollars, \\ and ☃."""
    return {"schlüssel": näme + wert}


@step(display_name="Schau {a} ☃")
def schau(x) -> str:
    return x["schlüssel"]


@step
def sammeln(xs):
    return xs


@pipeline(name="übung-eins")
def main(wört: str = "ä"):
    """Übung {{eins}}."""
    größe = groesse(wört)
    text = schau(größe)
    with If(text != "日本"):
        with ParallelFor(["é", "☃"]) as zeichen:
            y = groesse(zeichen, "日")
            schau(y)
    return sammeln([text])


EXPECTED = ["äß"]
