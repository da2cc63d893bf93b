"""The training loop: minibatches, an update rule, accuracy after each epoch, the best parameters kept."""

import copy
import time

import torch


def _sgd(w, dw, config=None):
    """The update rule of a Solver that is given none."""
    config = {"learning_rate": 1e-2} if config is None else config
    return w - config.setdefault("learning_rate", 1e-2) * dw, config


class Solver:
    """Trains any model that has `params`, a dict of tensors, and `loss(X, y) -> (loss, grads)`, `loss(X) -> scores`.

    data: a dict with X_train, y_train, X_val, y_val; examples along the first dimension. It may lie elsewhere than
    `device`: batches are moved there one at a time.

    After training: `loss_history` (one number an iteration), `train_acc_history` and `val_acc_history` (fractions, one
    before the first step, then one an epoch), `best_val_acc`, `best_params`.
    """

    def __init__(
        self,
        model,
        data,
        *,
        update_rule=_sgd,
        optim_config=None,
        lr_decay=1.0,
        batch_size=100,
        num_epochs=10,
        num_train_samples=1000,
        num_val_samples=None,
        print_every=10,
        print_acc_every=1,
        checkpoint_name=None,
        verbose=True,
        device="cpu",
        **unknown,
    ):
        """update_rule(w, dw, config) -> (next_w, config); optim_config: its hyperparameters, copied for each parameter.

        lr_decay multiplies every learning rate after each epoch. Accuracies are measured on at most num_train_samples
        and num_val_samples examples (None: all). With checkpoint_name, everything needed to go on later is written to
        `<checkpoint_name>_epoch_<n>.pt` after each epoch. Raises ValueError for an argument that does not exist.
        """
        if unknown:
            names = ", ".join(repr(name) for name in sorted(unknown))
            raise ValueError(f"Solver has no argument {names}. Check the spelling against the list in its docstring.")
        self.model = model
        self.X_train, self.y_train = data["X_train"], data["y_train"]
        self.X_val, self.y_val = data["X_val"], data["y_val"]
        self.update_rule = update_rule
        self.optim_config = dict(optim_config or {})
        self.lr_decay = lr_decay
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.num_train_samples = num_train_samples
        self.num_val_samples = num_val_samples
        self.print_every = print_every
        self.print_acc_every = print_acc_every
        self.checkpoint_name = checkpoint_name
        self.verbose = verbose
        self.device = device
        self._reset()

    def _reset(self):
        self.epoch = 0
        self.iteration = 0
        self.best_val_acc = 0
        self.best_params = {}
        self.best_bn_params = None
        self.loss_history = []
        self.train_acc_history = []
        self.val_acc_history = []
        self.optim_configs = {name: dict(self.optim_config) for name in self.model.params}

    def train(self, time_limit=None, return_best_params=True):
        """Train until num_epochs are over, or for time_limit seconds.

        Afterwards the model holds the parameters that did best on the validation set, or with return_best_params=False
        the last ones. May be called again: it goes on where it stopped.
        """
        start = time.monotonic()
        per_epoch = max(self.X_train.shape[0] // self.batch_size, 1)
        last = per_epoch * self.num_epochs
        if self.iteration == 0:
            self._check_epoch()
        while self.iteration < last:
            self._step()
            self.iteration += 1
            self._report_loss(start, last)
            out_of_time = time_limit is not None and time.monotonic() - start > time_limit
            if self.iteration % per_epoch == 0:
                self.epoch += 1
                for config in self.optim_configs.values():
                    config["learning_rate"] *= self.lr_decay
                self._check_epoch()
                if self.checkpoint_name is not None:
                    self.save(f"{self.checkpoint_name}_epoch_{self.epoch}.pt")
            elif out_of_time:
                self._check_epoch()
            if out_of_time:
                self._say(f"Time is up after {self.iteration} of {last} iterations.")
                break
        if return_best_params:
            self._restore_best()

    def check_accuracy(self, X, y, num_samples=None, batch_size=100):
        """Fraction of the examples whose largest score is that of their label; of num_samples random ones, if given."""
        if num_samples is not None and num_samples < X.shape[0]:
            chosen = torch.randperm(X.shape[0])[:num_samples].to(X.device)
            X, y = X[chosen], y[chosen]
        right = 0
        for X_batch, y_batch in zip(X.split(batch_size), y.split(batch_size), strict=True):
            scores = self.model.loss(X_batch.to(self.device))
            right += int((scores.argmax(dim=1) == y_batch.to(self.device)).sum())
        return right / X.shape[0]

    def save(self, path):
        """Write everything that `resume` needs: plain containers and tensors, readable by a weights-only load."""
        state = {name: getattr(self, name) for name in self._STATE}
        state["params"] = self.model.params
        state["bn_params"] = getattr(self.model, "bn_params", None)
        state["rng_state"] = torch.get_rng_state()
        torch.save(state, path)

    def resume(self, path):
        """Go on from a file that `save` wrote, as if training had never stopped: the same batches follow.

        The model must have the parameters of the saved one; ValueError where the names differ.
        """
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["params"].keys() != self.model.params.keys():
            raise ValueError(
                f"The checkpoint {path} holds the parameters {sorted(state['params'])}, "
                f"the model has {sorted(self.model.params)}: build the same network first."
            )
        for name in self._STATE:
            setattr(self, name, state[name])
        self.model.params = state["params"]
        if state["bn_params"] is not None:
            self.model.bn_params = state["bn_params"]
        torch.set_rng_state(state["rng_state"].cpu())

    _STATE = (
        "epoch",
        "iteration",
        "best_val_acc",
        "best_params",
        "best_bn_params",
        "loss_history",
        "train_acc_history",
        "val_acc_history",
        "optim_configs",
    )

    def _step(self):
        """One gradient step on a random minibatch."""
        N = self.X_train.shape[0]
        chosen = torch.randint(N, (min(self.batch_size, N),)).to(self.X_train.device)
        X, y = self.X_train[chosen].to(self.device), self.y_train[chosen].to(self.device)
        loss, grads = self.model.loss(X, y)
        self.loss_history.append(float(loss))
        for name, w in self.model.params.items():
            next_w, self.optim_configs[name] = self.update_rule(w, grads[name], self.optim_configs[name])
            self.model.params[name] = next_w

    def _check_epoch(self):
        """Measure both accuracies and remember the parameters if they are the best so far."""
        train_acc = self.check_accuracy(self.X_train, self.y_train, num_samples=self.num_train_samples)
        val_acc = self.check_accuracy(self.X_val, self.y_val, num_samples=self.num_val_samples)
        self.train_acc_history.append(train_acc)
        self.val_acc_history.append(val_acc)
        if self.epoch % self.print_acc_every == 0:
            self._say(f"epoch {self.epoch}/{self.num_epochs}: train {train_acc:.4f}, validation {val_acc:.4f}")
        if val_acc > self.best_val_acc or not self.best_params:
            self.best_val_acc = val_acc
            self.best_params = {name: p.clone() for name, p in self.model.params.items()}
            self.best_bn_params = copy.deepcopy(getattr(self.model, "bn_params", None))

    def _restore_best(self):
        self.model.params = {name: p.clone() for name, p in self.best_params.items()}
        if self.best_bn_params is not None:
            self.model.bn_params = copy.deepcopy(self.best_bn_params)

    def _report_loss(self, start, last):
        if self.iteration % self.print_every == 0 or self.iteration == 1:
            seconds = time.monotonic() - start
            self._say(f"{seconds:6.1f} s  iteration {self.iteration}/{last}  loss {self.loss_history[-1]:.4f}")

    def _say(self, line):
        if self.verbose:
            print(line)
