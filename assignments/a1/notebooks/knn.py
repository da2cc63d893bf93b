# %% [markdown]
# # k nearest neighbours
#
# A classifier that learns by remembering. Write the functions in `knn.py`, then run the cells from the top: each says
# what it expects. `grader check` in this folder asks the same functions more thoroughly.

# %%
# %load_ext autoreload
# %autoreload 2
# %matplotlib inline
import time

import knn
import matplotlib.pyplot as plt
import torch

torch.manual_seed(0)


def blobs(n, classes=3, spread=0.9):
    """n points (n, 2) around `classes` centres on a circle, with their labels (n,)."""
    y = torch.arange(n) % classes
    angle = 2 * torch.pi * y / classes
    centres = 2 * torch.stack([angle.cos(), angle.sin()], dim=1)
    return centres.double() + spread * torch.randn(n, 2, dtype=torch.float64), y


# %% [markdown]
# ## Distances
#
# Entry $(i, j)$ of `dists` is $\lVert a_i - b_j \rVert^2$, the squared distance of training row $i$ and test row $j$.
# For a single pair of rows you can compute it in your head.

# %%
a, b = torch.tensor([[0.0, 3.0]]), torch.tensor([[4.0, 0.0]])
print(knn.compute_distances_two_loops(a, b).item(), "should be 25.0")

# %% [markdown]
# The other two functions compute the same numbers, with one loop and with none. Without a loop, write
# $\lVert a - b \rVert^2 = \lVert a \rVert^2 + \lVert b \rVert^2 - 2\, a \cdot b$: the last term is a matrix product.

# %%
x_train, y_train = blobs(150)
x_test, y_test = blobs(60)
images, more_images = torch.randn(40, 3, 8, 8), torch.randn(30, 3, 8, 8)
slow = knn.compute_distances_two_loops(images, more_images)
for function in (knn.compute_distances_one_loop, knn.compute_distances_no_loops):
    difference = (function(images, more_images) - slow).abs().max().item()
    print(f"{function.__name__}: differs by {difference:.1e}, should be below 1e-3")
    assert difference < 1e-3

# %% [markdown]
# How much time does a loop cost? The three functions do the same sums.

# %%
names = ["two_loops", "one_loop", "no_loops"]
seconds = []
for name in names:
    start = time.perf_counter()
    getattr(knn, f"compute_distances_{name}")(images, more_images)
    seconds.append(time.perf_counter() - start)
plt.barh(names, seconds)
plt.xscale("log")
plt.xlabel("seconds, logarithmic")
plt.title("40 x 30 distances")
plt.show()

# %% [markdown]
# ## Votes
#
# `predict_labels` lets the labels of the k nearest training rows vote. With k = 1 every training point is its own
# nearest neighbour, so that nothing is wrong on the training set.

# %%
classifier = knn.KnnClassifier(x_train, y_train)
print(classifier.check_accuracy(x_train, y_train, k=1, quiet=True), "should be 100 %, and on new points:")
for k in (1, 5, 15):
    print(k, classifier.check_accuracy(x_test, y_test, k=k, quiet=True))

# %% [markdown]
# What the classifier makes of the plane: with one neighbour, single points own islands; with more, borders are smooth.

# %%
axis = torch.linspace(-4.5, 4.5, 90, dtype=torch.float64)
plane = torch.cartesian_prod(axis, axis)
figure, panels = plt.subplots(1, 3, figsize=(12, 4))
for panel, k in zip(panels, (1, 5, 15), strict=True):
    regions = classifier.predict(plane, k=k).reshape(90, 90)
    panel.contourf(axis, axis, regions.T, alpha=0.3, levels=2)
    panel.scatter(*x_train.T, c=y_train, s=8)
    panel.set_title(f"k = {k}")
plt.show()

# %% [markdown]
# ## Choosing k
#
# Cross-validation splits the training rows into folds, and holds each fold out in turn: the test rows stay unseen.

# %%
accuracies = knn.knn_cross_validate(x_train, y_train, num_folds=5, k_choices=[1, 3, 5, 9, 15, 30])
best_k = knn.knn_get_best_k(accuracies)
for k, of_folds in accuracies.items():
    plt.scatter([k] * len(of_folds), of_folds, color="tab:blue", s=12)
plt.plot(list(accuracies), [sum(of_folds) / len(of_folds) for of_folds in accuracies.values()], label="mean of folds")
plt.axvline(best_k, linestyle="--", color="gray", label=f"best k = {best_k}")
plt.xlabel("k")
plt.ylabel("accuracy")
plt.legend()
plt.show()
