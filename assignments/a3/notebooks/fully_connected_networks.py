# %% [markdown]
# # Fully connected networks
#
# Layers come in pairs: `forward` returns the output and a cache, `backward` takes the gradient of the loss with respect
# to that output, and the cache. Write them in `fully_connected_networks.py`, then run the cells from the top.
# `grader check` in this folder asks more thoroughly.

# %%
# %load_ext autoreload
# %autoreload 2
# %matplotlib inline
import fully_connected_networks as fc
import matplotlib.pyplot as plt
import torch
from eecs598 import Solver
from eecs598.grad import compute_numeric_gradient, rel_error

torch.manual_seed(0)
double = {"dtype": torch.float64}


def expect_small(name, error, bound=1e-6):
    """Prints a relative error, and stops where it is too large."""
    print(f"{name}: relative error {error:.1e}, should be below {bound:g}")
    assert error < bound


# %% [markdown]
# ## Linear layer
#
# $y = x W + b$, so that $dx = dy\, W^\top$, $dW = x^\top dy$, $db = \sum_n dy_n$.

# %%
x, w, b = torch.randn(4, 2, 3, **double), torch.randn(6, 5, **double), torch.randn(5, **double)
ones = fc.Linear.forward(torch.ones(1, 2, 3), torch.ones(6, 5), torch.ones(5))[0]
print(tuple(ones.shape), "should be (1, 5), and every entry 7:", ones)
out, cache = fc.Linear.forward(x, w, b)
dout = torch.randn(4, 5, **double)
dx, dw, db = fc.Linear.backward(dout, cache)
expect_small("dx", rel_error(dx, compute_numeric_gradient(lambda x: fc.Linear.forward(x, w, b)[0], x, dout)))
expect_small("dw", rel_error(dw, compute_numeric_gradient(lambda w: fc.Linear.forward(x, w, b)[0], w, dout)))
expect_small("db", rel_error(db, compute_numeric_gradient(lambda b: fc.Linear.forward(x, w, b)[0], b, dout)))

# %% [markdown]
# ## ReLU
#
# What is negative becomes 0, and no gradient passes there.

# %%
x, dout = torch.randn(5, 4, **double), torch.randn(5, 4, **double)
out, cache = fc.ReLU.forward(x)
print(f"smallest output {out.min():.3f}, should be 0")
dx = fc.ReLU.backward(dout, cache)
expect_small("dx", rel_error(dx, compute_numeric_gradient(lambda x: fc.ReLU.forward(x)[0], x, dout)))

# %% [markdown]
# ## Dropout
#
# In training each value is dropped with probability p, and what stays is divided by 1 - p: the mean is kept.

# %%
x = torch.full((400, 400), 10.0, **double)
for p in (0.3, 0.6):
    out, _ = fc.Dropout.forward(x, {"mode": "train", "p": p, "seed": 0})
    print(f"p = {p}: {100 * (out == 0).double().mean():.1f} % are 0, the mean is {out.mean():.2f}, should be 10")

# %% [markdown]
# ## Networks
#
# The first loss of a network that knows nothing is $\log C$.

# %%
X, y = torch.randn(6, 3, 4, 4, **double), torch.randint(10, (6,))
net = fc.FullyConnectedNet([20, 15], input_dim=48, weight_scale=1e-3, **double)
print(f"{float(net.loss(X, y)[0]):.4f}, should be log 10 = 2.3026")
net = fc.FullyConnectedNet([20, 15], input_dim=48, weight_scale=0.3, reg=0.1, **double)
_, grads = net.loss(X, y)
for name, parameter in net.params.items():
    numeric = compute_numeric_gradient(lambda _: net.loss(X, y)[0], parameter)
    expect_small(f"d{name}", rel_error(grads[name], numeric), 1e-5)

# %% [markdown]
# ## Update rules
#
# A long and narrow valley: plain descent zigzags, momentum overshoots, Adam and RMSProp scale each direction for
# itself.

# %%
valley = torch.tensor([1.0, 30.0], **double)
rules = [
    (fc.sgd, {"learning_rate": 0.06}),
    (fc.sgd_momentum, {"learning_rate": 0.01}),
    (fc.rmsprop, {"learning_rate": 0.05}),
    (fc.adam, {"learning_rate": 0.1}),
]
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4))
for rule, settings in rules:
    w, config, path = torch.tensor([-2.0, 0.7], **double), dict(settings), []
    for _ in range(60):
        path.append(w.clone())
        w, config = rule(w, valley * w, config)
    path = torch.stack(path)
    left.plot(*path.T, marker=".", markersize=3, label=rule.__name__)
    right.plot(0.5 * (valley * path**2).sum(dim=1), label=rule.__name__)
left.set(title="Paths", xlabel="flat direction", ylabel="steep direction")
right.set(title="Height", xlabel="step", yscale="log")
right.legend()
plt.show()

# %% [markdown]
# ## Training
#
# A network that fits fifty rows of noise perfectly has working gradients. It has learnt nothing.

# %%
noise = {"X_train": torch.randn(50, 40), "y_train": torch.randint(10, (50,))}
noise.update(X_val=noise["X_train"], y_val=noise["y_train"])
model = fc.FullyConnectedNet([64, 64], input_dim=40, weight_scale=0.15, dtype=torch.float32)
solver = Solver(
    model,
    noise,
    update_rule=fc.adam,
    optim_config={"learning_rate": 5e-3},
    num_epochs=40,
    batch_size=25,
    print_every=1000,
    verbose=False,
)
solver.train()
print(f"training accuracy {solver.check_accuracy(noise['X_train'], noise['y_train']):.2f}, should be 1.00")
plt.plot(solver.loss_history)
plt.xlabel("iteration")
plt.ylabel("loss of the batch")
plt.show()
