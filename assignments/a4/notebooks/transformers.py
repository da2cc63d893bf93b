# %% [markdown]
# # A Transformer that adds and subtracts
#
# Attention, heads, blocks, and a network that answers `12 + 30`. Write the parts in `transformers.py`, then run the
# cells from the top. `grader check` in this folder asks more thoroughly.

# %%
# %load_ext autoreload
# %autoreload 2
# %matplotlib inline
import matplotlib.pyplot as plt
import torch
import transformers as tf

torch.manual_seed(0)
double = {"dtype": torch.float64}

# %% [markdown]
# ## Words
#
# Digits are words of their own; so are the operations, and where an expression begins and ends.

# %%
special = ["POSITIVE", "NEGATIVE", "add", "subtract", "BOS", "EOS"]
words = tf.generate_token_dict([*"0123456789", *special])
print(tf.prepocess_input_sequence("BOS POSITIVE 12 add NEGATIVE 30 EOS", words, special))

# %% [markdown]
# ## Attention
#
# $\mathrm{softmax}(q k^\top / \sqrt{M})\, v$: every query gets an average of the values. The three functions compute
# the same, with two loops for one sequence, for a batch of them, and without a loop.

# %%
query, key, value = (torch.randn(2, 5, 4, **double) for _ in range(3))
by_loops = torch.stack([tf.scaled_dot_product_two_loop_single(*each) for each in zip(query, key, value, strict=True)])
batch = tf.scaled_dot_product_two_loop_batch(query, key, value)
at_once, weights = tf.scaled_dot_product_no_loop_batch(query, key, value)
print(f"{(batch - by_loops).abs().max():.1e} and {(at_once - by_loops).abs().max():.1e}, should be below 1e-10")
assert torch.allclose(batch, by_loops) and torch.allclose(at_once, by_loops)
print(f"every row of weights adds up to {weights.sum(dim=-1).mean():.3f}, should be 1")

# %% [markdown]
# A decoder must not look at words that come later. Here is what it looks at, without a mask and with one.

# %%
mask = tf.get_subsequent_mask(torch.ones(2, 5, dtype=torch.int64))
_, masked = tf.scaled_dot_product_no_loop_batch(query, key, value, mask)
figure, panels = plt.subplots(1, 2, figsize=(8, 3.5))
for panel, shown, title in zip(panels, (weights, masked), ("everything", "nothing that comes later"), strict=True):
    panel.imshow(shown[0], vmin=0, vmax=1)
    panel.set(title=title, xlabel="key", ylabel="query")
plt.show()
assert masked[0].triu(1).abs().max() < 1e-6

# %% [markdown]
# ## Layer normalisation
#
# Every word for itself: mean 0 and variance 1 over its numbers.

# %%
norm = tf.LayerNormalization(16).double()
out = norm(3 * torch.randn(2, 5, 16, **double) + 7)
print(f"means up to {out.mean(dim=-1).abs().max():.1e}, variances {out.var(dim=-1, unbiased=False).mean():.4f}")

# %% [markdown]
# ## Heads and blocks
#
# Whatever goes on inside, a block takes and returns a number of words (K) with a number of features (M) each.

# %%
words_in = torch.randn(2, 5, 16, **double)
parts = [
    ("heads", lambda: tf.MultiHeadAttention(4, 16, 8).double()(words_in, words_in, words_in)),
    ("feed forward", lambda: tf.FeedForwardBlock(16, 32).double()(words_in)),
    ("encoder block", lambda: tf.EncoderBlock(4, 16, 32, 0.0).double()(words_in)),
    ("decoder block", lambda: tf.DecoderBlock(4, 16, 32, 0.0).double()(words_in, words_in, mask)),
]
for name, part in parts:
    print(f"{name}: {tuple(part().shape)}, should be (2, 5, 16)")

# %% [markdown]
# ## Places
#
# Attention does not know in which order words come; a code for each place is added to its word.

# %%
figure, panels = plt.subplots(1, 2, figsize=(11, 3.5))
panels[0].plot(tf.position_encoding_simple(20, 8)[0, :, 0])
panels[0].set(title="simple", xlabel="place")
panels[1].imshow(tf.position_encoding_sinusoid(20, 32)[0].T, aspect="auto", cmap="RdBu")
panels[1].set(title="sines", xlabel="place", ylabel="feature")
plt.show()

# %% [markdown]
# ## The Transformer
#
# A small one learns eight sums by heart: the loss should come near 0. Training on all of them takes minutes.

# %%
questions = [
    f"BOS POSITIVE {a}{b} add POSITIVE {b}{a} EOS" for a, b in ["12", "03", "21", "40", "13", "22", "30", "04"]
]
answers = [f"BOS POSITIVE {11 * (int(q[13]) + int(q[14])):02d} EOS" for q in questions]
print(questions[0], "->", answers[0])
dataset = tf.AddSubDataset(questions, answers, words, special, 32, tf.position_encoding_simple)
ques, ques_pos, ans, ans_pos = (torch.stack(parts) for parts in zip(*dataset, strict=True))
model = tf.Transformer(4, 32, 64, 0.0, 1, 1, len(words))
optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
losses = []
for _ in range(150):
    optimiser.zero_grad()
    scores = model(ques, ques_pos, ans, ans_pos)
    loss = torch.nn.functional.cross_entropy(scores, ans[:, 1:].flatten())
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
plt.semilogy(losses)
plt.xlabel("step")
plt.ylabel("loss")
plt.show()
print(f"last loss {losses[-1]:.3f}, should be below 0.3")
