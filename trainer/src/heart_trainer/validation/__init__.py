"""What the API server says to a HeartModel, said on a laptop: the same schema, the same rules, the same messages."""
