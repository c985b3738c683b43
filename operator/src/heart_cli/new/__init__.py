"""`kubectl heart new`: a HeartModel from a file, for a person to read and correct."""
