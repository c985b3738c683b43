"""Histogram boosting of scikit-learn on a Parquet file that is read whole. Arguments: file, target. Prints the AUC."""

import sys

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score


def main(path: str, target: str) -> None:
    frame = pd.read_parquet(path)
    y = (frame.pop(target) > 0).to_numpy()
    x = frame.to_numpy(np.float32)
    held = np.random.default_rng(0).random(len(y)) < 0.2
    model = HistGradientBoostingClassifier(max_iter=100, max_depth=4, early_stopping=False, random_state=0)
    model.fit(x[~held], y[~held])
    print(f"roc_auc={roc_auc_score(y[held], model.predict_proba(x[held])[:, 1])}")


if __name__ == "__main__":
    main(*sys.argv[1:])
