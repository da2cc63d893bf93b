def make(folder):
    module = folder / "vectors.py"
    many = " + ".join(["X"] * 5000)
    module.write_text(module.read_text() + f"\n\ndef norms(X):\n    return {many}\n")
    return folder
