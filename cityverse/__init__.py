"""CityVerse: the life of a city on one map and one list."""

__version__ = "0.1.0"
