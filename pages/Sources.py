"""Where the news comes from, for managers."""

from cityverse.ui import shell, sources

shell.show("nav.sources", sources.draw)
