"""The Transformer learns to add and subtract numbers of two digits, and is asked what it never saw."""

import torch
from transformer_helpers import SPECIAL_TOKENS, VOCABULARY, CrossEntropyLoss, exact_answers, expression, val
from transformers import Transformer, generate_token_dict, position_encoding_sinusoid, prepocess_input_sequence

from grader.datasets.arithmetic import problems, split

from .training import train

EMB_DIM = 64
LARGEST = 49


def learn_arithmetic(seed, epochs=34, batch_size=256, parts=None, watch=lambda epochs, exact: None):
    """Trains on nine tenths of the problems, or on the first of two `parts`, and asks the others.

    watch(epochs, exact) is called after every epoch; exact() asks, and gives the fraction of exact answers by then.
    -> the fraction of answers without a mistake, the fraction of right words, the number of questions, CPU-seconds.
    """
    (ques, ans), held_out = (as_numbers(part) for part in parts or sets(seed))
    ques_pos, ans_pos = (position_encoding_sinusoid(words.shape[1], EMB_DIM) for words in (ques, ans))
    torch.manual_seed(seed)
    model = Transformer(
        num_heads=4,
        emb_dim=EMB_DIM,
        feedforward_dim=128,
        dropout=0.0,  # 15,000 problems that all follow one rule leave little to learn by heart
        num_enc_layers=2,
        num_dec_layers=2,
        vocab_len=len(VOCABULARY),
    )

    def loss_of(chosen, epoch):
        words = ans[chosen, 1:].reshape(-1)
        return CrossEntropyLoss(model(ques[chosen], ques_pos, ans[chosen], ans_pos), words) / len(words)

    asked = [(q, ques_pos, a, ans_pos) for q, a in zip(*(part.split(1000) for part in held_out), strict=True)]

    def look(epochs_done, loss):
        watch(epochs_done, lambda: exact_answers(model, asked))

    cpu_seconds = train(model, loss_of, len(ques), epochs, batch_size, learning_rate=3e-3, watch=look)
    _, right_words = val(model, asked, CrossEntropyLoss)
    return exact_answers(model, asked), right_words, len(held_out[0]), cpu_seconds


def sets(seed):
    """Problems to learn from, and others to be asked: none is in both. No number is above 49: any two can be added.

    Larger numbers, where the result still has two digits, are learnt as well, but take longer.
    """
    drawn = problems(50_000, digits=2, seed=seed)
    return split([item for item in drawn if max(abs(item.left), abs(item.right)) <= LARGEST], 0.1)


def as_numbers(items):
    """Problems -> questions (N, 9) and answers (N, 5), int64."""
    numbers = generate_token_dict(VOCABULARY)
    texts = zip(*(expression(item.left, item.operation.value, item.right) for item in items), strict=True)
    return tuple(
        torch.tensor([prepocess_input_sequence(text, numbers, SPECIAL_TOKENS) for text in part]) for part in texts
    )
