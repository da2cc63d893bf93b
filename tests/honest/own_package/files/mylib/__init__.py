import matplotlib.pyplot as plt
import seaborn as sns

from .maths import root

plt.rcParams["figure.figsize"] = (10.0, 8.0)
sns.set()


def square(x):
    return x * x


def show(x):
    plt.imshow(x)
    plt.show()
