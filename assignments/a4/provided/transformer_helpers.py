"""What assignment 4 gives to everybody who builds a Transformer: data, losses, training, answers, pictures, gradients.

Letters: N examples, K tokens of a question, O tokens of an answer, M numbers for each token, V words of the vocabulary.
A loader is anything that can be gone through again and again and gives batches (questions (N, K), their positions
(N, K, M), answers (N, O), their positions (N, O, M)), such as a DataLoader of an AddSubDataset, or a list.
"""

import json

import torch
from torch.nn import functional as F

SPECIAL_TOKENS = ["POSITIVE", "NEGATIVE", "add", "subtract", "BOS", "EOS"]
VOCABULARY = [*"0123456789", *SPECIAL_TOKENS]
START = VOCABULARY.index("BOS")


# ---- data ----------------------------------------------------------------------------------------------------------


def get_toy_data(path):
    """The expressions of a JSON file: {"inp_expression": list of str, "out_expression": list of str}."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def written(number, digits=2):
    """A number in words: its sign, and its digits filled up with zeros: -7 -> "NEGATIVE 07"."""
    return f"{'NEGATIVE' if number < 0 else 'POSITIVE'} {abs(number):0{digits}d}"


def expression(left, operation, right, digits=2):
    """A question and its answer in words. operation: "add" or "subtract".

    -> ("BOS POSITIVE 33 add NEGATIVE 09 EOS", "BOS POSITIVE 24 EOS"), say.
    """
    result = left + right if operation == "add" else left - right
    question = f"BOS {written(left, digits)} {operation} {written(right, digits)} EOS"
    return question, f"BOS {written(result, digits)} EOS"


# ---- losses --------------------------------------------------------------------------------------------------------


def CrossEntropyLoss(pred, ground):
    """Cross-entropy of pred (N O, V) with the words ground (N, O) or (N O,), int64, summed over all of them."""
    return F.cross_entropy(pred, ground.reshape(-1), reduction="sum")


def LabelSmoothingLoss(pred, ground):
    """Cross-entropy with a target that gives 0.9 to the right word, and shares 0.1 among the V - 1 others, summed."""
    epsilon, V = 0.1, pred.shape[1]
    log_probs = F.log_softmax(pred, dim=1)
    right = log_probs.gather(1, ground.reshape(-1, 1)).squeeze(1)
    wrong = log_probs.sum(dim=1) - right
    return -((1 - epsilon) * right + epsilon / (V - 1) * wrong).sum()


# ---- training ------------------------------------------------------------------------------------------------------


def train(
    model,
    train_dataloader,
    val_dataloader,
    loss_func,
    num_epochs,
    lr=1e-3,
    batch_size=32,
    warmup_interval=None,
    warmup_lr=6e-6,
    device="cpu",
    verbose=True,
):
    """Trains with Adam; steps below warmup_interval use warmup_lr. -> the model, which was changed in place.

    loss_func(pred (N (O - 1), V), words (N (O - 1),)) -> 0-dim loss, summed over the words; its gradient is divided by
    batch_size.
    """
    model = model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.995), eps=1e-9)
    step = 0
    for epoch in range(1, num_epochs + 1):
        model.train()
        total, words = 0.0, 0
        for batch in train_dataloader:
            slow = warmup_interval is not None and step < warmup_interval
            for group in optimizer.param_groups:
                group["lr"] = warmup_lr if slow else lr
            loss, scores = batch_loss(model, batch, loss_func, device)
            optimizer.zero_grad(set_to_none=True)
            (loss / batch_size).backward()
            optimizer.step()
            total, words, step = total + loss.item(), words + len(scores), step + 1
        if verbose:
            val_loss, val_acc = val(model, val_dataloader, loss_func, batch_size, device)
            print(
                f"[epoch {epoch}/{num_epochs}] [loss {total / words:.4f}] [val loss {val_loss:.4f}] [acc {val_acc:.4f}]"
            )
    return model


def batch_loss(model, batch, loss_func, device):
    """The loss of one batch, and the scores (N (O - 1), V) that it comes from."""
    ques, ques_pos, ans, ans_pos = (part.to(device) for part in batch)
    scores = model(ques, ques_pos, ans, ans_pos)
    return loss_func(scores, ans[:, 1:].reshape(-1)), scores


@torch.no_grad()
def val(model, dataloader, loss_func, batch_size=None, device="cpu"):
    """-> the mean loss of a word, and the fraction of words that get the highest score. batch_size has no effect."""
    model.eval()
    total, right, words = 0.0, 0, 0
    for batch in dataloader:
        loss, scores = batch_loss(model, batch, loss_func, device)
        right += (scores.argmax(dim=1) == batch[2][:, 1:].reshape(-1).to(device)).sum().item()
        total, words = total + loss.item(), words + len(scores)
    return total / words, right / words


# ---- answers -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def inference(model, inp_exp, inp_exp_pos, out_pos_exp, out_seq_len, start=START):
    """Answers that the model gives word by word, each the most probable one after those before it.

    inp_exp (N, K), inp_exp_pos (N, K, M) or (1, K, M), out_pos_exp (N, O, M) or (1, O, M)
    -> words (N, out_seq_len) that begin with `start`, and the model.
    """
    model.eval()
    enc_out = model.encoder(model.emb_layer(inp_exp) + inp_exp_pos)
    words = inp_exp.new_full((len(inp_exp), 1), start)
    for length in range(1, out_seq_len):
        future = torch.ones(length, length, dtype=torch.bool, device=words.device).triu(1).expand(len(words), -1, -1)
        scores = model.decoder(model.emb_layer(words) + out_pos_exp[:, :length], enc_out, future)  # (N, length, V)
        words = torch.cat([words, scores[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
    return words, model


def exact_answers(model, dataloader):
    """The fraction of answers that the model, left to itself, gives without a mistake."""
    right, N = 0, 0
    for ques, ques_pos, ans, ans_pos in dataloader:
        words, _ = inference(model, ques, ques_pos, ans_pos, ans.shape[1])
        right, N = right + (words == ans).all(dim=1).sum().item(), N + len(ans)
    return right / N


# ---- looking into a network ----------------------------------------------------------------------------------------


def draw(data, x, y, ax):
    """Attention weights (queries, keys) as a picture on the matplotlib axes ax; x, y: words along the axes."""
    ax.imshow(data, vmin=0.0, vmax=1.0, cmap="viridis")
    ax.set_xticks(range(len(x)), x, rotation=90)
    ax.set_yticks(range(len(y)), y)


def parameters(net):
    """{name: value} of a module's parameters; one that has several names appears under each."""
    return {name: p.detach().clone() for name, p in net.named_parameters(remove_duplicate=False)}


def size(net):
    """How many numbers a module learns; what has several names counts once."""
    return sum(p.numel() for p in net.parameters())


def parts(net):
    """{name: name of the class} of all modules inside a module, such as {"norm1": "LayerNormalization"}."""
    return {name: type(part).__name__ for name, part in net.named_modules(remove_duplicate=False) if name}


def gradients(function, inputs, dout):
    """The output of a function or module, and the gradients of sum(output * dout).

    Of several outputs, the first counts.

    inputs: list of arguments; those that are floating-point tensors get a gradient.
    -> output; list with a gradient, or None, for each input; {name: gradient} of the module's parameters.
    A gradient that was never reached by the chain rule is zero.
    """
    given = [x.detach().clone().requires_grad_() if _is_floating(x) else x for x in inputs]
    named = function.named_parameters(remove_duplicate=False) if isinstance(function, torch.nn.Module) else ()
    parameters = dict(named)
    out = function(*given)
    out = out[0] if isinstance(out, tuple) else out
    leaves = [x for x in given if _is_floating(x)] + list(parameters.values())
    reached = out.requires_grad
    found = torch.autograd.grad(out, leaves, dout, allow_unused=True) if reached else [None] * len(leaves)
    exact = iter([torch.zeros_like(x) if g is None else g for x, g in zip(leaves, found, strict=True)])
    of_inputs = [next(exact) if _is_floating(x) else None for x in given]
    return out.detach(), of_inputs, dict(zip(parameters, exact, strict=True))


def _is_floating(x):
    return torch.is_tensor(x) and x.is_floating_point()
