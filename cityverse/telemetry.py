"""Names of what is measured."""

NAMESPACE = "CityVerse"
"""Where the figures of this program stand among those of others."""

WORKER_ROUNDS = "worker_rounds"
"""How many rounds a worker has ended."""
