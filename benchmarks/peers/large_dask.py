"""XGBoost on a cluster of two Dask workers. Arguments: file, target. Prints the AUC of a fifth of the row groups."""

import sys

import dask.dataframe as dd
from dask.distributed import Client, LocalCluster
from sklearn.metrics import roc_auc_score
from xgboost import dask as dxgb


def main(path: str, target: str) -> None:
    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:
        # Persisted: two projections of a file that is read lazily may be cut into different partitions.
        frame = dd.read_parquet(path, split_row_groups=1).astype("float32").persist()
        parts = frame.npartitions
        held = frame.partitions[: max(parts // 5, 1)]
        learnt = frame.partitions[max(parts // 5, 1) :]
        x, y = learnt.drop(columns=target), learnt[target] > 0
        matrix = dxgb.DaskQuantileDMatrix(client, x, y, max_bin=256)
        params = {"objective": "binary:logistic", "max_depth": 4, "learning_rate": 0.1, "tree_method": "hist"}
        params |= {"min_child_weight": 5, "nthread": 1}
        found = dxgb.train(client, params, matrix, num_boost_round=100)
        scores = dxgb.predict(client, found["booster"], held.drop(columns=target)).compute()
        print(f"roc_auc={roc_auc_score((held[target] > 0).compute(), scores)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
