"""What the associations write, newest first."""

from cityverse.ui import feed, shell

shell.show("nav.feed", feed.draw)
