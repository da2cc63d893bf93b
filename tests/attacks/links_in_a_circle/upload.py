import os


def make(folder):
    os.symlink(folder, folder / "again")
    os.symlink("b.py", folder / "a.py")
    os.symlink("a.py", folder / "b.py")
    os.mkfifo(folder / "helpers.py")
    module = folder / "vectors.py"
    module.write_text(
        module.read_text() + "\n\nfrom helpers import *\nfrom a import *\n\n\ndef norms(X):\n    return X[0]\n"
    )
    return folder
