import time


def norms(X):
    time.sleep(1000)


dot = unit = lambda *_: time.sleep(1000)
