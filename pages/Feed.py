"""What the associations write, newest first."""

from cityverse.ui import feed, shell

with shell.page("nav.feed") as page:
    feed.draw(page)
