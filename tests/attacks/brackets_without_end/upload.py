def make(folder):
    module = folder / "vectors.py"
    module.write_text(module.read_text() + "\n\nX = " + "(" * 100_000 + "1" + ")" * 100_000 + "\n")
    return folder
