torch.set_num_threads(4)
