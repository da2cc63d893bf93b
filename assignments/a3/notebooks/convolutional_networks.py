# %% [markdown]
# # Convolutional networks
#
# Convolution, pooling, batch normalisation, and networks made of them. Write them in `convolutional_networks.py`, then
# run the cells from the top. `grader check` in this folder asks more thoroughly.

# %%
# %load_ext autoreload
# %autoreload 2
# %matplotlib inline
import convolutional_networks as cnn
import matplotlib.pyplot as plt
import torch
from eecs598.grad import compute_numeric_gradient, rel_error
from fully_connected_networks import adam

torch.manual_seed(0)
double = {"dtype": torch.float64}


def expect_small(name, error, bound=1e-6):
    """Prints a relative error, and stops where it is too large."""
    print(f"{name}: relative error {error:.1e}, should be below {bound:g}")
    assert error < bound


# %% [markdown]
# ## Convolution
#
# A filter slides over the image, and every output is the sum of what it covers, times its weights. Two filters whose
# effect you can see: one blurs, one finds upright edges.

# %%
rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
image = ((rows - 16) ** 2 + (columns - 16) ** 2 < 100).double() + 0.2 * torch.rand(32, 32, **double)
filters = torch.stack([torch.full((5, 5), 1 / 25), torch.tensor([-1.0, -1.0, 0.0, 1.0, 1.0]).expand(5, 5) / 5])
out, _ = cnn.Conv.forward(
    image[None, None], filters.double()[:, None], torch.zeros(2, **double), {"stride": 1, "pad": 2}
)
figure, panels = plt.subplots(1, 3, figsize=(9, 3))
for panel, picture, title in zip(panels, (image, *out[0]), ("image", "blurred", "upright edges"), strict=True):
    panel.imshow(picture, cmap="gray")
    panel.set_title(title)
    panel.axis("off")
plt.show()

# %%
x, w, b = torch.randn(2, 2, 6, 6, **double), torch.randn(3, 2, 3, 3, **double), torch.randn(3, **double)
how = {"stride": 1, "pad": 1}
out, cache = cnn.Conv.forward(x, w, b, how)
print(tuple(out.shape), "should be (2, 3, 6, 6)")
dout = torch.randn(out.shape, **double)
dx, dw, db = cnn.Conv.backward(dout, cache)
expect_small("dx", rel_error(dx, compute_numeric_gradient(lambda x: cnn.Conv.forward(x, w, b, how)[0], x, dout)))
expect_small("dw", rel_error(dw, compute_numeric_gradient(lambda w: cnn.Conv.forward(x, w, b, how)[0], w, dout)))
expect_small("db", rel_error(db, compute_numeric_gradient(lambda b: cnn.Conv.forward(x, w, b, how)[0], b, dout)))

# %% [markdown]
# ## Max pooling
#
# Each window keeps its largest value, and only that one gets a gradient.

# %%
how = {"pool_height": 2, "pool_width": 2, "stride": 2}
picture = torch.arange(16.0).double().reshape(1, 1, 4, 4)
print(cnn.MaxPool.forward(picture, how)[0], "should be 5, 7, 13, 15")
x = torch.randn(2, 3, 6, 6, **double)
out, cache = cnn.MaxPool.forward(x, how)
dout = torch.randn(out.shape, **double)
dx = cnn.MaxPool.backward(dout, cache)
expect_small("dx", rel_error(dx, compute_numeric_gradient(lambda x: cnn.MaxPool.forward(x, how)[0], x, dout)))

# %% [markdown]
# ## Batch normalisation
#
# Every feature gets mean 0 and variance 1 over the batch, then a scale and a shift that are learnt.

# %%
x = 5 * torch.randn(200, 3, **double) + torch.tensor([-10.0, 0.0, 10.0])
gamma, beta = torch.ones(3, **double), torch.zeros(3, **double)
out, cache = cnn.BatchNorm.forward(x, gamma, beta, {"mode": "train"})
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3))
left.hist(x.numpy(), bins=30, label=["feature 0", "feature 1", "feature 2"])
left.set_title("before")
left.legend()
right.hist(out.numpy(), bins=30)
right.set_title("after: one shape for all")
plt.show()

# %%
x, gamma, beta = torch.randn(6, 4, **double), torch.rand(4, **double) + 0.5, torch.randn(4, **double)
out, cache = cnn.BatchNorm.forward(x, gamma, beta, {"mode": "train"})
dout = torch.randn(out.shape, **double)
for backward in (cnn.BatchNorm.backward, cnn.BatchNorm.backward_alt):
    dx, dgamma, dbeta = backward(dout, cache)
    numeric = compute_numeric_gradient(lambda x: cnn.BatchNorm.forward(x, gamma, beta, {"mode": "train"})[0], x, dout)
    expect_small(f"{backward.__name__}: dx", rel_error(dx, numeric))
x = torch.randn(4, 3, 5, 5, **double)
out, _ = cnn.SpatialBatchNorm.forward(x, torch.ones(3, **double), torch.zeros(3, **double), {"mode": "train"})
print("mean of each channel:", out.mean(dim=(0, 2, 3)).abs().max().item(), "should be 0")

# %% [markdown]
# ## First weights
#
# With Kaiming's scale the size of the signal stays about the same from layer to layer; with a fixed one it fades or
# explodes.

# %%
for label, scale in (("Kaiming", None), ("0.01", 0.01), ("0.2", 0.2)):
    signal, sizes = torch.randn(100, 256), []
    for _ in range(12):
        weights = cnn.kaiming_initializer(256, 256) if scale is None else scale * torch.randn(256, 256)
        signal = (signal @ weights).clamp(min=0)
        sizes.append(signal.std().item())
    plt.semilogy(sizes, label=label)
plt.xlabel("layer")
plt.ylabel("deviation of the signal")
plt.legend()
plt.show()

# %% [markdown]
# ## Networks
#
# The gradient of a whole network, and a network that learns twenty noisy pictures by heart. What your network reaches
# on real images, `grader check --data` tells; the README says where they come from.

# %%
X, y = torch.randn(2, 3, 8, 8, **double), torch.randint(10, (2,))
net = cnn.ThreeLayerConvNet((3, 8, 8), num_filters=3, filter_size=3, hidden_dim=7, weight_scale=0.1, **double)
_, grads = net.loss(X, y)
for name in sorted(grads):
    numeric = compute_numeric_gradient(lambda _: net.loss(X, y)[0], net.params[name])
    expect_small(f"d{name}", rel_error(grads[name], numeric), 1e-5)

# %%
pictures, labels = torch.randn(20, 3, 16, 16), torch.randint(10, (20,))
net = cnn.DeepConvNet((3, 16, 16), num_filters=[8, 16], max_pools=[0, 1], batchnorm=True, weight_scale="kaiming")
configs, losses = {}, []
for _ in range(60):
    loss, grads = net.loss(pictures, labels)
    losses.append(float(loss))
    for name, gradient in grads.items():
        start = {"learning_rate": 5e-3}
        net.params[name], configs[name] = adam(net.params[name], gradient, configs.get(name, start))
print(f"last loss {losses[-1]:.3f}, should be below 0.1")
plt.semilogy(losses)
plt.xlabel("step")
plt.ylabel("loss")
plt.show()
