"""Models that somebody else fitted → model.onnx as the contract wants it, or a NotServable that says why."""
