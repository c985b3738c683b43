"""Writes the pipeline as an MLflow model, for `mlflow models serve`: save_mlflow.py PIPELINE FOLDER."""

import sys

import joblib
import mlflow.sklearn

pipeline, folder = sys.argv[1:]
mlflow.sklearn.save_model(
    joblib.load(pipeline), folder, pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle"
)
