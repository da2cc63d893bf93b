import matplotlib.pyplot as plt


def norms(X):
    lengths = (X * X).sum(dim=1).sqrt()
    fig, axes = plt.subplots(1, 2, figsize=(8, 3))
    axes[0].plot(lengths.tolist(), "o")
    axes[1].hist(lengths.tolist(), bins=5)
    fig.suptitle("norms")
    plt.show()
    plt.close(fig)
    return lengths
