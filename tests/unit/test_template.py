"""Student files: the marks, the errors, and that what is committed is what the generator makes."""

import importlib.util
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import torch

from grader.kit.template import TemplateError, derive, derive_course, differences, write

COURSE = Path(__file__).parents[2]


def text(source):
    return dedent(source).lstrip("\n")


def test_a_task_becomes_its_sentence_and_an_error():
    reference = text('''
        import math


        def root(x):
            """The root of x."""
            # [task] Take the root
            # of x.

            # Babylon knew how.
            return math.sqrt(x)
            # [end]


        def twice(x):
            return 2 * x
        ''')
    assert derive(reference, "r.py") == text('''
        import math


        def root(x):
            """The root of x."""
            # Take the root
            # of x.
            raise NotImplementedError("root: Take the root of x.")


        def twice(x):
            return 2 * x
        ''')


def test_a_task_in_a_loop_of_a_method_leaves_what_is_around_it():
    reference = text("""
        class Outer:
            class Inner:
                def run(self, n):
                    for i in range(n):
                        # [task]
                        # Say i.
                        print(i)
                        # [end]
                    return n
        """)
    assert derive(reference, "r.py") == text("""
        class Outer:
            class Inner:
                def run(self, n):
                    for i in range(n):
                        # Say i.
                        raise NotImplementedError("Outer.Inner.run: Say i.")
                    return n
        """)


def test_a_solution_is_left_out_with_the_blank_lines_above_it():
    reference = text("""
        import math


        # [solution] helpers
        SCALE = 2


        @staticmethod
        def helper():
            return SCALE
        # [end]


        class Thing:
            size = 1

            # [solution]
            def secret(self):
                return helper()
            # [end]


        def last():
            return 1


        # [solution]
        LIMIT = math.pi
        # [end]
        """)
    assert derive(reference, "r.py") == text("""
        import math


        class Thing:
            size = 1


        def last():
            return 1
        """)


@pytest.mark.parametrize("words", [12, 17, 18, 40, 100])
def test_long_sentences_are_broken_and_read_the_same(words):
    sentence = " ".join(["letters"] * words) + ' of "é" and \\.'
    template = derive(f"def f():\n    # [task] {sentence}\n    return 1\n    # [end]\n", "r.py")
    code = [line for line in template.splitlines() if not line.lstrip().startswith("#")]
    assert max(map(len, code)) <= 120
    names = {}
    exec(template, names)
    with pytest.raises(NotImplementedError) as caught:
        names["f"]()
    assert str(caught.value) == f"f: {sentence}"


def test_marks_in_strings_are_text():
    source = (
        'TEXT = """\n# [task] no\n# [end]\n"""\n\n\ndef f():\n    """\n    # [end]\n    """\n    return "# [what]"\n'
    )
    assert derive(source, "r.py") == source


def test_comments_that_are_no_marks_stay():
    source = "# [N, D] rows\n# [Task]\nx = 1  # [shape] of x\n"
    assert derive(source, "r.py") == source


BAD = {
    "unclosed": ("def f():\n    # [task] Do.\n    return 1\n", 2, "never closed"),
    "closes nothing": ("def f():\n    return 1\n    # [end]\n", 3, "closes nothing"),
    "nested": (
        "def f():\n    # [task] Do.\n    a = 1\n    # [task] Do.\n    return a\n    # [end]\n    # [end]\n",
        4,
        "inside the region of line 2",
    ),
    "unknown": ("def f():\n    # [tsk] Do.\n    return 1\n    # [end]\n", 2, "found # [tsk]"),
    "behind code": ("def f():\n    x = 1  # [task] Do.\n    return x\n    # [end]\n", 2, "line of its own"),
    "silent": ("def f():\n    # [task]\n\n    return 1\n    # [end]\n", 2, "says nothing"),
    "task in a module": ("# [task] Do.\nx = 1\n# [end]\n", 1, "outside a function"),
    "task in a class": ("class A:\n    # [task] Do.\n    x = 1\n    # [end]\n", 2, "outside a function"),
    "solution in a function": (
        "def f():\n    # [solution]\n    x = 1\n    # [end]\n    return x\n",
        2,
        "inside a function",
    ),
    "indentation": ("def f():\n    # [task] Do.\n    return 1\n# [end]\n", 4, "same indentation"),
    "wrong column": ("def f():\n  # [task] Do.\n    return 1\n  # [end]\n", 2, "whole statements"),
    "no code": ("def f():\n    # [task] Do.\n    # [end]\n    return 1\n", 2, "whole statements"),
    "docstring": ('def f():\n    # [task] Do.\n    """Doc."""\n    return 1\n    # [end]\n', 2, "docstring"),
    "module docstring": ('# [solution]\n"""Doc."""\n# [end]\nx = 1\n', 1, "docstring"),
    "across blocks": (
        "def f(a):\n    if a:\n        # [task] Do.\n        a = 1\n    else:\n        # [end]\n        a = 2\n",
        3,
        "whole statements",
    ),
    "head only": (
        "def f(a):\n    # [task] Do.\n    if a:\n        a = 1\n    # [end]\n        a = 2\n    return a\n",
        2,
        "whole statements",
    ),
    "else only": (
        "def f(a):\n    if a:\n        a = 1\n    # [task] Do.\n    else:\n        a = 2\n    # [end]\n    return a\n",
        4,
        "whole statements",
    ),
    "if without its else": (
        "def f(a):\n    # [task] Do.\n    if a:\n        a = 1\n    # [end]\n    else:\n        a = 2\n    return a\n",
        4,
        "Expected valid Python to remain",
    ),
    "empty class": (
        "class A:\n    # [solution]\n    x = 1\n    # [end]\n\n\ny = 1\n",
        4,
        "Expected valid Python to remain",
    ),
    "no Python": ("def f(:\n    pass\n", 1, "Expected a reference in valid Python"),
}


@pytest.mark.parametrize("case", BAD)
def test_misplaced_marks_are_refused_with_file_line_and_remedy(case):
    source, line, message = BAD[case]
    with pytest.raises(TemplateError, match=message.replace("[", r"\[")) as caught:
        derive(source, "reference/a9/r.py")
    assert str(caught.value).startswith("reference/a9/r.py, line ")
    assert str(caught.value).endswith(".")
    assert caught.value.filename == "reference/a9/r.py"
    if "remain" not in message:  # that one counts the lines of the result
        assert caught.value.line == line


@pytest.fixture
def toy(tmp_path):
    (tmp_path / "reference" / "t1").mkdir(parents=True)
    (tmp_path / "reference" / "t1" / "toy.py").write_text("def f():\n    # [task] Do.\n    return 1\n    # [end]\n")
    return tmp_path


def test_write_makes_what_differences_looks_for(toy):
    committed = toy / "student_template" / "t1" / "toy.py"
    assert [sentence.endswith("toy.py is missing.") for sentence in differences(toy)] == [True]
    write(toy)
    assert differences(toy) == []
    assert committed.read_text() == derive_course(toy)[Path("t1/toy.py")]
    committed.write_text(committed.read_text() + "\n")
    assert [sentence.endswith("toy.py differs from what its reference gives.") for sentence in differences(toy)] == [
        True
    ]
    (committed.parent / "old.py").touch()
    (committed.parent / "toy.ipynb").touch()
    assert "old.py has no reference behind it." in differences(toy)[0]
    write(toy)
    assert sorted(path.name for path in committed.parent.iterdir()) == ["toy.ipynb", "toy.py"]


def test_a_bad_reference_leaves_the_templates_alone(toy):
    write(toy)
    (toy / "reference" / "t1" / "bad.py").write_text("# [end]\n")
    with pytest.raises(TemplateError, match=r"bad\.py, line 1"):
        write(toy)
    assert (toy / "student_template" / "t1" / "toy.py").exists()


def test_a_folder_without_references_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="Give the folder of a course"):
        derive_course(tmp_path)


def test_committed_templates_are_what_the_references_give():
    assert differences(COURSE) == []


X, Y, W = torch.ones(4, 3), torch.tensor([0, 1, 0, 1]), torch.ones(3, 2)
DATA = {"X_train": X, "y_train": Y, "X_val": X, "y_val": Y}
PARAMS = {"W1": torch.ones(3, 2), "b1": torch.ones(2), "W2": torch.ones(2, 2), "b2": torch.ones(2)}

STUBS = {
    "a1/knn": {
        "compute_distances_two_loops": lambda m: m.compute_distances_two_loops(X, X),
        "compute_distances_one_loop": lambda m: m.compute_distances_one_loop(X, X),
        "compute_distances_no_loops": lambda m: m.compute_distances_no_loops(X, X),
        "predict_labels": lambda m: m.predict_labels(torch.ones(4, 2), Y, k=1),
        "KnnClassifier.__init__": lambda m: m.KnnClassifier(X, Y),
        "KnnClassifier.predict": lambda m: m.KnnClassifier.__new__(m.KnnClassifier).predict(X, k=1),
        "KnnClassifier.check_accuracy": lambda m: m.KnnClassifier.__new__(m.KnnClassifier).check_accuracy(X, Y),
        "knn_cross_validate": lambda m: m.knn_cross_validate(X, Y, 2, [1]),
        "knn_get_best_k": lambda m: m.knn_get_best_k({1: [50.0]}),
    },
    "a2/linear_classifier": {
        "svm_loss_naive": lambda m: m.svm_loss_naive(W, X, Y, 0.1),
        "svm_loss_vectorized": lambda m: m.LinearSVM().loss(W, X, Y, 0.1),
        "softmax_loss_naive": lambda m: m.softmax_loss_naive(W, X, Y, 0.1),
        "softmax_loss_vectorized": lambda m: m.Softmax().loss(W, X, Y, 0.1),
        "sample_batch": lambda m: m.sample_batch(X, Y, 4, 2),
        "train_linear_classifier": lambda m: m.LinearSVM().train(X, Y),
        "predict_linear_classifier": lambda m: m.predict_linear_classifier(W, X),
        "svm_get_search_params": lambda m: m.svm_get_search_params(),
        "softmax_get_search_params": lambda m: m.softmax_get_search_params(),
        "test_one_param_set": lambda m: m.test_one_param_set(m.Softmax(), DATA, 0.1, 0.1),
    },
    "a2/two_layer_net": {
        "nn_forward_pass": lambda m: m.nn_forward_pass(PARAMS, X),
        "nn_forward_backward": lambda m: m.TwoLayerNet(3, 2, 2).loss(X),
        "nn_train": lambda m: m.TwoLayerNet(3, 2, 2).train(X, Y, X, Y),
        "nn_predict": lambda m: m.TwoLayerNet(3, 2, 2).predict(X),
        "nn_get_search_params": lambda m: m.nn_get_search_params(),
        "find_best_net": lambda m: m.find_best_net(DATA, lambda: ([0.1], [2], [0.1], [0.9])),
    },
}


def load_template(module):
    spec = importlib.util.spec_from_file_location(
        module.replace("/", "_"), COURSE / "student_template" / f"{module}.py"
    )
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in STUBS.items() for name in names])
def test_every_stub_fails_with_its_sentence(module, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "linear_classifier", load_template("a2/linear_classifier"))
    with pytest.raises(NotImplementedError) as caught:
        STUBS[module][name](load_template(module))
    start, _, sentence = str(caught.value).partition(": ")
    assert start == name
    assert sentence.endswith(".")
    assert len(sentence.split()) > 3


@pytest.mark.parametrize("module", STUBS)
def test_nothing_else_is_a_stub_and_no_mark_is_left(module):
    source = (COURSE / "student_template" / f"{module}.py").read_text(encoding="utf-8")
    assert source.count("raise NotImplementedError(") == len(STUBS[module])
    assert "# [" not in source
