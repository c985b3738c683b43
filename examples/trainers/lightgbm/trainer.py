"""LightGBM as a trainer for HeartOps. Parameters of the HeartModel are LightGBM's own, such as n_estimators."""

from heartops_trainer import Trainer
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

FIXED = {"n_jobs": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1}


class LightGBM(Trainer):
    def fit(self, rows, task):
        kind = LGBMRegressor if task.task == "regression" else LGBMClassifier
        return kind(**task.parameters, **FIXED, random_state=task.seed).fit(rows.x, rows.y)

    def predict(self, model, x):
        return model.predict_proba(x) if hasattr(model, "predict_proba") else model.predict(x)

    def to_onnx(self, model, task):
        shape = [("features", FloatTensorType([None, len(task.features)]))]
        return convert_lightgbm(model, initial_types=shape, zipmap=False, target_opset=15).SerializeToString()


if __name__ == "__main__":
    LightGBM().run()
