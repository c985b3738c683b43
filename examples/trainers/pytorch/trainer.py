"""A small neural network for tables, by PyTorch, as a trainer for HeartOps.

Parameters of the HeartModel: hidden (a list of widths), epochs, learning_rate, weight_decay.
"""

import io
from itertools import pairwise

import numpy as np
import torch
from heartops_trainer import Trainer
from torch import nn

DEFAULTS = {"hidden": [32, 16], "epochs": 60, "learning_rate": 0.01, "weight_decay": 0.01}


class Network(nn.Module):
    """Takes rows as HeartOps gives them: missing values become means, and a category's index a column of its own."""

    def __init__(self, x, y, task, settings):
        super().__init__()
        self.counts = [len(feature.get("values") or ()) for feature in task.features]
        self.register_buffer("fill", torch.tensor(np.nan_to_num(np.nanmean(x, axis=0)), dtype=torch.float32))
        wide = self.widened(torch.tensor(x))
        self.register_buffer("mean", wide.mean(0))
        self.register_buffer("scale", wide.std(0).clamp(min=1e-6))
        regression = task.task == "regression"
        self.register_buffer("centre", torch.tensor(float(y.mean()) if regression else 0.0))
        self.register_buffer("spread", torch.tensor(float(y.std()) if regression else 1.0))
        widths = [wide.shape[1], *settings["hidden"]]
        layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], task.outputs))
        self.regression = regression

    def widened(self, x):
        known = torch.where(torch.isnan(x), self.fill, x)
        parts = []
        for column, count in enumerate(self.counts):
            values = known[:, column : column + 1]
            codes = [(values == code).float() for code in range(count)]  # of a category: one column for each value
            parts += codes or [values]
        return torch.cat(parts, dim=1)

    def scores(self, x):
        return self.layers((self.widened(x) - self.mean) / self.scale)

    def forward(self, x):
        scores = self.scores(x)
        return scores * self.spread + self.centre if self.regression else torch.softmax(scores, dim=1)


class Tabular(Trainer):
    def fit(self, rows, task):
        if unknown := task.parameters.keys() - DEFAULTS.keys():
            raise SystemExit(f"unknown parameters: {', '.join(sorted(unknown))}; known are {', '.join(DEFAULTS)}")
        settings = DEFAULTS | task.parameters
        torch.manual_seed(task.seed)
        torch.set_num_threads(1)  # the order of sums would depend on their number
        network = Network(rows.x, rows.y, task, settings)
        x, y = torch.tensor(rows.x), torch.tensor(rows.y)
        loss = nn.CrossEntropyLoss()
        if network.regression:
            y, loss = ((y - network.centre) / network.spread).float()[:, None], nn.MSELoss()
        rates = {"lr": settings["learning_rate"], "weight_decay": settings["weight_decay"]}
        optimizer = torch.optim.AdamW(network.parameters(), **rates)
        for epoch in range(settings["epochs"]):
            optimizer.zero_grad()
            found = loss(network.scores(x), y)
            found.backward()
            optimizer.step()
            if epoch % 20 == 0:
                print(f"epoch {epoch}: loss {found.item():.4f}", flush=True)
        return network.eval()

    def predict(self, model, x):
        with torch.no_grad():
            return model(torch.tensor(x)).numpy()

    def to_onnx(self, model, task):
        file = io.BytesIO()
        # The exporter by tracing: besides onnx it needs no other package, and every step is a plain operator.
        torch.onnx.export(
            model,
            torch.zeros(2, len(task.features)),
            file,
            input_names=["features"],
            output_names=["output"],
            dynamic_axes={"features": {0: "rows"}, "output": {0: "rows"}},
            opset_version=16,
            dynamo=False,
        )
        return file.getvalue()


if __name__ == "__main__":
    Tabular().run()
