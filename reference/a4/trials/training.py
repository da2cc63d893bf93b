"""One way to train all networks of these experiments."""

import time

import torch
from torch import nn


def train(network, loss_of, N, epochs, batch_size, learning_rate, watch=lambda epochs, loss: None):
    """AdamW whose learning rate rises over the first tenth of the steps, and then falls to 0 along a cosine.

    The betas are those of Vaswani et al., Attention Is All You Need (NeurIPS 2017).
    loss_of(chosen, epoch) -> 0-dim loss of the examples numbered chosen (n,) out of N; every epoch shuffles them anew.
    watch(epochs, loss) is called after every epoch with how many there were, and the mean loss of this one.
    -> CPU-seconds of this process, without those of watch.
    """
    steps = epochs * -(-N // batch_size)
    optimizer = torch.optim.AdamW(network.parameters(), learning_rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    start = time.process_time()
    for epoch in range(epochs):
        network.train()
        total = 0.0
        for chosen in torch.randperm(N).split(batch_size):
            loss = loss_of(chosen, epoch)
            total += loss.item() * len(chosen)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)  # a single bad batch does not undo many good ones
            optimizer.step()
            schedule.step()
        paused = time.process_time()
        watch(epoch + 1, total / N)
        start += time.process_time() - paused
    return time.process_time() - start
