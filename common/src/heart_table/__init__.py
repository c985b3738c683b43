"""Tables in files: what kind a file is, how its text is laid out, and which of its numbers stand for «missing».

For the trainer, which reads whole files with pandas, and for `kubectl heart new`, which streams them.
"""
