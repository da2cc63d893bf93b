def make(folder):
    import json

    module = folder / "vectors.py"
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**code, "source": module.read_text()}, {**code, "source": "def norms(X):\n    return X[0]\n"}]
    cells += [{**code, "source": "%time x = 1"} for _ in range(30_000)]
    cells += [{"cell_type": "code", "metadata": [], "source": {"a": 1}}, {"cell_type": 7}, None, "text", []]
    content = {
        "cells": cells,
        "metadata": {"kernelspec": {"name": "\u202e<b>" * 100}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    module.unlink()
    module.with_suffix(".ipynb").write_text(json.dumps(content))
    return folder
