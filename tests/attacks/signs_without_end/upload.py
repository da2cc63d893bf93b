def make(folder):
    module = folder / "vectors.py"
    module.write_text(module.read_text() + "\n\nX = " + "-" * 50_000 + "1\n\n\ndef norms(X):\n    return X[0]\n")
    return folder
