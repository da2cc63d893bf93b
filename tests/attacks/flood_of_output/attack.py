def norms(X):
    while True:
        print("x" * 100_000)
