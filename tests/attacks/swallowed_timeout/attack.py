def norms(X):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
