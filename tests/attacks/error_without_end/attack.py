class Endless(Exception):
    def __str__(self):
        while True:
            pass


def norms(X):
    raise Endless
