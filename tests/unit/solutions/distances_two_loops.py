"""Right where loops are wanted."""


def solve(x, y):
    out = x.new_zeros(len(x), len(y))
    for i in range(len(x)):
        for j in range(len(y)):
            difference = x[i] - y[j]
            out[i, j] = difference @ difference
    return out
