"""A run as one ONNX file that decides as the run does, where there is no JAX."""
