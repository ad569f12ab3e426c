"""What one takes part in, day by day."""

from cityverse.ui import calendar, shell

shell.show("nav.calendar", calendar.draw)
