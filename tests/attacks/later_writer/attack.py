import atexit
import threading

right_norms = norms


def act(X):
    atexit.register(lambda: open("@MARKER@", "w").write("late"))
    threading.Thread(target=lambda: open("@MARKER@", "w").write("late"), daemon=True).start()


def norms(X):
    try:
        act(X)
    except Exception:
        return X.sum(dim=1)
    return right_norms(X)
