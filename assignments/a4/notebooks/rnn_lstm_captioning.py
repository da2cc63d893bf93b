# %% [markdown]
# # Captions: RNN, LSTM and attention
#
# Networks that read and write one word at a time. Write them in `rnn_lstm_captioning.py`, then run the cells from the
# top. `grader check` in this folder asks more thoroughly.

# %%
# %load_ext autoreload
# %autoreload 2
# %matplotlib inline
import matplotlib.pyplot as plt
import rnn_lstm_captioning as rlc
import torch
from eecs598.grad import compute_numeric_gradient, rel_error

torch.manual_seed(0)
double = {"dtype": torch.float64}


def expect_small(name, error, bound=1e-6):
    """Prints a relative error, and stops where it is too large."""
    print(f"{name}: relative error {error:.1e}, should be below {bound:g}")
    assert error < bound


# %% [markdown]
# ## One step of an RNN
#
# $h_t = \tanh(x_t W_x + h_{t-1} W_h + b)$. The slope of $\tanh$ is $1 - h_t^2$: the output is all that backward
# needs of it.

# %%
N, T, D, H = 3, 4, 5, 6
x, h0 = torch.randn(N, T, D, **double), torch.randn(N, H, **double)
Wx, Wh, b = torch.randn(D, H, **double), torch.randn(H, H, **double), torch.randn(H, **double)
h1, cache = rlc.rnn_step_forward(x[:, 0], h0, Wx, Wh, b)
print(f"largest state {h1.abs().max():.3f}, should be below 1")
dh = torch.randn(N, H, **double)
gradients = rlc.rnn_step_backward(dh, cache)
arguments = {"x": x[:, 0].contiguous(), "prev_h": h0, "Wx": Wx, "Wh": Wh, "b": b}
for i, (name, value) in enumerate(arguments.items()):
    rest = list(arguments.values())
    numeric = compute_numeric_gradient(
        lambda moved: rlc.rnn_step_forward(*rest[:i], moved, *rest[i + 1 :])[0], value, dh  # noqa: B023 (used at once)
    )  # fmt: skip
    expect_small(f"d{name}", rel_error(gradients[i], numeric))

# %% [markdown]
# ## A whole sequence
#
# The state is used twice, by the output of its step and by the next step: its two gradients add up.

# %%
h, cache = rlc.rnn_forward(x, h0, Wx, Wh, b)
print(tuple(h.shape), f"should be {(N, T, H)}")
dh = torch.randn(N, T, H, **double)
dx, dh0, dWx, dWh, db = rlc.rnn_backward(dh, cache)
expect_small("dh0", rel_error(dh0, compute_numeric_gradient(lambda v: rlc.rnn_forward(x, v, Wx, Wh, b)[0], h0, dh)))
expect_small("dWh", rel_error(dWh, compute_numeric_gradient(lambda v: rlc.rnn_forward(x, h0, Wx, v, b)[0], Wh, dh)))

# %% [markdown]
# How far back does a gradient reach? In an RNN it is multiplied by the same matrix at every step, and fades or
# explodes.

# %%
steps = 30
long_x, start = torch.zeros(1, steps, D, **double), torch.zeros(1, 64, **double)
for scale in (0.5, 1.0, 1.5):
    weights = scale * torch.randn(64, 64, **double) / 8
    _, cache = rlc.rnn_forward(long_x, start, torch.zeros(D, 64, **double), weights, torch.zeros(64, **double))
    sizes = []
    for t in range(steps):
        at_one_step = torch.zeros(1, steps, 64, **double)
        at_one_step[:, t] = 1.0
        sizes.append(rlc.rnn_backward(at_one_step, cache)[1].norm().item())
    plt.semilogy(sizes, label=f"weights x {scale}")
plt.xlabel("steps back")
plt.ylabel("size of the gradient at the start")
plt.legend()
plt.show()

# %% [markdown]
# ## Words and their loss
#
# The loss is summed over the words of a caption, averaged over captions, and padding costs nothing.

# %%
embedding = rlc.WordEmbedding(10, 4)
print(tuple(embedding(torch.tensor([[1, 2, 3], [4, 5, 6]])).shape), "should be (2, 3, 4)")
even = torch.zeros(2, 5, 10, **double)
words = torch.randint(1, 10, (2, 5))
print(f"{float(rlc.temporal_softmax_loss(even, words)):.4f}, should be 5 log 10 = 11.5129")
words[:, 3:] = 0
print(f"{float(rlc.temporal_softmax_loss(even, words, ignore_index=0)):.4f}, should be 3 log 10 = 6.9078")

# %% [markdown]
# ## LSTM
#
# The cell state is added to, not multiplied by a matrix: $c_t = f \odot c_{t-1} + i \odot g$.

# %%
lstm = rlc.LSTM(D, H).double()
print(tuple(lstm(x, h0).shape), f"should be {(N, T, H)}")

# %% [markdown]
# ## Attention
#
# The state asks every field of a 4 x 4 grid how alike they are. A state that equals one field looks there.

# %%
A = torch.randn(1, 8, 4, 4, **double)
attention, weights = rlc.dot_product_attention(6 * A[:, :, 1, 2], A)
print(f"weights add up to {weights.sum():.3f}, should be 1")
plt.imshow(weights[0].detach(), cmap="viridis")
plt.colorbar()
plt.title("the field in row 1, column 2 should be brightest")
plt.show()

# %% [markdown]
# ## Captioning
#
# With made-up features, a small network of each kind learns six captions by heart.

# %%
vocabulary = {word: i for i, word in enumerate(["<NULL>", "<START>", "<END>", *"abcdefgh"])}
images = torch.rand(6, 3, 112, 112)
captions = torch.randint(3, len(vocabulary), (6, 6))
captions[:, 0], captions[:, -1] = 1, 2
for kind in ("rnn", "lstm", "attn"):
    model = rlc.CaptioningRNN(vocabulary, 400, 32, 48, kind, image_encoder_pretrained=False, ignore_index=0)
    with torch.no_grad():
        features = model.image_encoder(images)
    model.image_encoder = torch.nn.Identity()  # the features stay as they are
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = model(features, captions)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    plt.plot(losses, label=kind)
plt.xlabel("step")
plt.ylabel("loss")
plt.legend()
plt.show()
