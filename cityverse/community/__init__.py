"""Use cases of residents, associations and whoever installs CityVerse."""
