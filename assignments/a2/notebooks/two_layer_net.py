# %% [markdown]
# # A two-layer network
#
# $h = \max(0, x W_1 + b_1)$, scores $= h W_2 + b_2$, softmax. Write the functions in `two_layer_net.py`, then run the
# cells from the top. `grader check` in this folder asks more thoroughly.

# %%
# %load_ext autoreload
# %autoreload 2
# %matplotlib inline
import matplotlib.pyplot as plt
import torch
import two_layer_net as tln

torch.manual_seed(0)
N, D, H, C = 7, 5, 8, 3
params = {
    "W1": 0.5 * torch.randn(D, H, dtype=torch.float64),
    "b1": 0.1 * torch.randn(H, dtype=torch.float64),
    "W2": 0.5 * torch.randn(H, C, dtype=torch.float64),
    "b2": 0.1 * torch.randn(C, dtype=torch.float64),
}
X, y = torch.randn(N, D, dtype=torch.float64), torch.randint(C, (N,))

# %% [markdown]
# ## Forward
#
# The hidden layer is never negative; about half of it is zero.

# %%
scores, hidden = tln.nn_forward_pass(params, X)
print(tuple(scores.shape), tuple(hidden.shape), f"should be {(N, C)} {(N, H)}")
print(f"smallest hidden value {hidden.min():.3f}, should be 0; {100 * (hidden == 0).double().mean():.0f} % are 0")

# %% [markdown]
# ## Backward
#
# Every gradient is held against central differences of the loss. An error around 1e-8 is rounding, one of 1e-2 a bug.


# %%
def worst_difference(name, reg=0.05, h=1e-6):
    """The largest difference between the gradient of params[name] and central differences of the loss."""
    analytic = tln.nn_forward_backward(params, X, y, reg)[1][name]
    numeric = torch.zeros_like(params[name])
    for index in torch.cartesian_prod(*(torch.arange(size) for size in numeric.shape)).reshape(-1, numeric.dim()):
        at = tuple(index.tolist())
        sides = []
        for step in (h, -h):
            moved = {key: value.clone() for key, value in params.items()}
            moved[name][at] += step
            sides.append(float(tln.nn_forward_backward(moved, X, y, reg)[0]))
        numeric[at] = (sides[0] - sides[1]) / (2 * h)
    return (analytic - numeric).abs().max().item()


for name in params:
    difference = worst_difference(name)
    print(f"d{name}: {difference:.1e}")
    assert difference < 1e-6

# %% [markdown]
# ## Training
#
# Two spirals cannot be told apart by a straight line. A hidden layer bends the plane until one can.

# %%
t = torch.rand(400, dtype=torch.float64) * 2.2 + 0.3
label = torch.arange(400) % 2
turn = 3.0 * t + torch.pi * label
spiral = torch.stack([t * turn.cos(), t * turn.sin()], dim=1) + 0.05 * torch.randn(400, 2, dtype=torch.float64)
net = {
    "W1": torch.randn(2, 64, dtype=torch.float64),
    "b1": torch.randn(64, dtype=torch.float64),
    "W2": 0.3 * torch.randn(64, 2, dtype=torch.float64),
    "b2": torch.zeros(2, dtype=torch.float64),
}
stats = tln.nn_train(
    net,
    tln.nn_forward_backward,
    tln.nn_predict,
    spiral[:320],
    label[:320],
    spiral[320:],
    label[320:],
    learning_rate=0.5,
    learning_rate_decay=1.0,
    reg=1e-5,
    num_iters=1500,
    batch_size=100,
)
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4))
left.plot(stats["loss_history"], linewidth=0.7)
left.set(xlabel="iteration", ylabel="loss", title="Loss of the batch")
right.plot(stats["train_acc_history"], label="train")
right.plot(stats["val_acc_history"], label="validation")
right.set(xlabel="epoch", ylabel="accuracy")
right.legend()
plt.show()
print(f"training accuracy {float(stats['train_acc_history'][-1]):.3f}, should be well above that of a line, 0.6 or so")

# %%
axis = torch.linspace(-3, 3, 150, dtype=torch.float64)
plane = torch.cartesian_prod(axis, axis)
regions = tln.nn_predict(net, tln.nn_forward_backward, plane).reshape(150, 150)
plt.contourf(axis, axis, regions.T, alpha=0.3, levels=1)
plt.scatter(*spiral.T, c=label, s=6)
plt.gca().set_aspect("equal")
plt.show()

# %% [markdown]
# ## Choosing hyperparameters
#
# `find_best_net` tries the combinations that `nn_get_search_params` names. The README says where images come from.

# %%
for values in tln.nn_get_search_params():
    print(values)
