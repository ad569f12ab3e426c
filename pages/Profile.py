"""One's own account."""

from cityverse.ui import profile, shell

shell.show("nav.profile", profile.draw)
