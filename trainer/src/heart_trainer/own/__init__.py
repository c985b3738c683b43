"""Trainers of one's own: an approved program fits the model, HeartOps prepares, judges, seals and registers.

prepare ──rows──► launch (the program, without network) ──results──► judge

The program gets rows to learn from and returns one ONNX file. It never gets the rows by which that file is judged,
so that nothing it returns has to be believed.
"""
