"""The model server: JSON in, contract check, one ONNX run, JSON out."""

__version__ = "0.1.0"
