def compute_distances_no_loops(x_train, x_test):
    x, y = x_train.flatten(1), x_test.flatten(1)
    return torch.ops.aten._cdist_forward(x, y, 2.0, None) ** 2
