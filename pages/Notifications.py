"""What concerns who is signed in."""

from cityverse.ui import notifications, shell

shell.show("nav.notifications", notifications.draw)
