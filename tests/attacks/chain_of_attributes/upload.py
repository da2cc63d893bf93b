def make(folder):
    module = folder / "vectors.py"
    many = ".T" * 5000
    module.write_text(module.read_text() + f"\n\ndef norms(X):\n    return X{many}\n")
    return folder
