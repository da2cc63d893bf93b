"""Pictures. matplotlib is imported only when something is drawn."""

import torch


def tensor_to_image(tensor):
    """(3, H, W) with values in 0 ... 1 -> (H, W, 3) uint8 array."""
    return tensor.mul(255).add(0.5).clamp(0, 255).permute(1, 2, 0).to("cpu", torch.uint8).numpy()


def visualize_dataset(X, y, samples_per_class, class_list):
    """A grid of random images, a row for each class. X (N, 3, H, W) in 0 ... 1, y (N,). -> uint8 array (H', W', 3)."""
    rows = []
    for label in range(len(class_list)):
        members = (y == label).nonzero().flatten()
        picked = members[torch.randint(len(members), (samples_per_class,), device=members.device)]
        rows.append(torch.cat(list(X[picked]), dim=2))
    return tensor_to_image(torch.cat(rows, dim=1))


def plot_stats(solver):
    """Loss and accuracies of a trained Solver, beside one another. -> matplotlib figure."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 4))
    left.plot(solver.loss_history, "o", markersize=2)
    left.set(title="Training loss", xlabel="iteration", ylabel="loss")
    right.plot(solver.train_acc_history, "-o", label="train")
    right.plot(solver.val_acc_history, "-o", label="validation")
    right.set(title="Accuracy", xlabel="epoch", ylabel="fraction correct")
    right.legend()
    return figure
