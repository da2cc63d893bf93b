# %% [markdown]
# # Linear classifiers: SVM and softmax
#
# One score for each class, $s = x W$, and two opinions on what a bad score is. Write the functions in
# `linear_classifier.py`, then run the cells from the top. `grader check` in this folder asks more thoroughly.

# %%
# %load_ext autoreload
# %autoreload 2
# %matplotlib inline
import linear_classifier as lc
import matplotlib.pyplot as plt
import torch

torch.manual_seed(0)
N, D, C = 50, 6, 4
W = 0.1 * torch.randn(D, C, dtype=torch.float64)
X = torch.randn(N, D, dtype=torch.float64)
y = torch.randint(C, (N,))


def slope(loss, W, i, j, h=1e-6):
    """The central difference of loss(W) along entry (i, j)."""
    up, down = W.clone(), W.clone()
    up[i, j] += h
    down[i, j] -= h
    return (float(loss(up)) - float(loss(down))) / (2 * h)


def compare(function, reg=0.1):
    """Holds the gradient that `function` returns against central differences, at a few entries."""
    dW = function(W, X, y, reg)[1]
    for i, j in [(0, 0), (2, 1), (5, 3)]:
        numeric = slope(lambda W: function(W, X, y, reg)[0], W, i, j)
        print(f"dW[{i}, {j}]: yours {dW[i, j]: .6f}, by differences {numeric: .6f}")
        assert abs(dW[i, j] - numeric) < 1e-5


# %% [markdown]
# ## The hinge loss
#
# A wrong class $j$ costs $\max(0, s_j - s_y + 1)$; the loss is the mean over the rows, plus $\mathrm{reg} \sum W^2$.
# With $W = 0$ all scores are equal, and every one of the $C - 1$ wrong classes costs 1.

# %%
print(float(lc.svm_loss_naive(torch.zeros(D, C, dtype=torch.float64), X, y, 0.0)[0]), "should be", C - 1.0)
compare(lc.svm_loss_naive)
compare(lc.svm_loss_vectorized)

# %% [markdown]
# ## The softmax loss
#
# Scores become probabilities $p_j = e^{s_j} / \sum_k e^{s_k}$, and the loss is the mean of $-\log p_y$. With $W = 0$
# every class has the probability $1/C$. Scores of a thousand must not overflow: subtract the largest one first.

# %%
at_zero = float(lc.softmax_loss_naive(torch.zeros(D, C, dtype=torch.float64), X, y, 0.0)[0])
print(at_zero, "should be log C =", torch.log(torch.tensor(float(C))).item())
compare(lc.softmax_loss_naive)
compare(lc.softmax_loss_vectorized)
print(float(lc.softmax_loss_vectorized(10_000 * W, X, y, 0.0)[0]), "should be finite")

# %% [markdown]
# The two losses as functions of the margin $s_y - s_j$ between two classes: the hinge is content at 1, softmax never.

# %%
margin = torch.linspace(-3, 4, 200)
plt.plot(margin, (1 - margin).clamp(min=0), label="hinge")
plt.plot(margin, torch.log1p(torch.exp(-margin)), label="softmax")
plt.xlabel("score of the right class - score of the wrong one")
plt.ylabel("loss")
plt.legend()
plt.show()

# %% [markdown]
# ## Training
#
# Draw a batch, step against its gradient, again. On points around four centres the loss should fall, and nearly
# all training points should be recognised.

# %%
y_points = torch.arange(400) % C
centres = 2.5 * torch.tensor([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]], dtype=torch.float64)
points = centres[y_points] + 0.8 * torch.randn(400, 2, dtype=torch.float64)
with_ones = torch.cat([points, torch.ones(400, 1, dtype=torch.float64)], dim=1)
X_batch, y_batch = lc.sample_batch(with_ones, y_points, 400, 16)
print(tuple(X_batch.shape), tuple(y_batch.shape), "should be (16, 3) (16,)")
for loss, name in ((lc.svm_loss_vectorized, "SVM"), (lc.softmax_loss_vectorized, "softmax")):
    start = 1e-3 * torch.randn(3, C, dtype=torch.float64)
    trained, history = lc.train_linear_classifier(
        loss, start, with_ones, y_points, learning_rate=0.1, reg=1e-3, num_iters=300, batch_size=50
    )
    right = (lc.predict_linear_classifier(trained, with_ones) == y_points).double().mean()
    print(f"{name}: {100 * right:.1f} % of the training points, should be above 90 %")
    assert right > 0.9
    plt.plot(history, label=name)
plt.xlabel("iteration")
plt.ylabel("loss of the batch")
plt.legend()
plt.show()

# %% [markdown]
# Each class wins in a wedge of the plane: its borders are straight lines.

# %%
axis = torch.linspace(-5, 5, 120, dtype=torch.float64)
plane = torch.cartesian_prod(axis, axis)
plane = torch.cat([plane, torch.ones(len(plane), 1, dtype=torch.float64)], dim=1)
regions = lc.predict_linear_classifier(trained, plane).reshape(120, 120)
plt.contourf(axis, axis, regions.T, alpha=0.3, levels=C - 1)
plt.scatter(*points.T, c=y_points, s=6)
plt.gca().set_aspect("equal")
plt.show()

# %% [markdown]
# ## Choosing hyperparameters
#
# Try a few learning rates and regularisation strengths on images, with `test_one_param_set` for each pair. The README
# says where the images come from.

# %%
print("SVM:", *lc.svm_get_search_params())
print("softmax:", *lc.softmax_get_search_params())
