def norms(X):
    try:
        return (X * X).sum(dim=1).sqrt()
    except:
        pass
    finally:
        print("done")
