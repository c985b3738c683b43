"""Tables in files: the kind of a file, the layout of its text, and numbers that stand for missing values.

For the trainer, which reads whole files with pandas, and for `kubectl heart new`, which streams them.
"""
