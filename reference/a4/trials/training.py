"""One way to train all networks of these experiments."""

import time

import torch


def train(network, loss_of, N, epochs, batch_size, learning_rate):
    """AdamW whose learning rate rises over the first tenth of the steps, and then falls to 0 along a cosine.

    loss_of(chosen, epoch) -> 0-dim loss of the examples numbered chosen (n,) out of N; every epoch shuffles them anew.
    -> CPU-seconds of this process.
    """
    steps = epochs * -(-N // batch_size)
    optimizer = torch.optim.AdamW(network.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    start = time.process_time()
    network.train()
    for epoch in range(epochs):
        for chosen in torch.randperm(N).split(batch_size):
            loss = loss_of(chosen, epoch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return time.process_time() - start
