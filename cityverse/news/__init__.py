"""Local news: fetching feeds, reading them, and finding the place each article speaks of."""
