from importlib.resources import files
def words(): return (files(__package__) / "data" / "words.txt").read_text().split()
