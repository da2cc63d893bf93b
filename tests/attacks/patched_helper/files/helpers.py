def centred(x):
    return x - x.mean()


def solve(x, y):
    slope = (centred(x) * centred(y)).sum() / (centred(x) ** 2).sum()
    return slope, y.mean() - slope * x.mean()
