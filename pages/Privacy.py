"""What happens with personal data, and a copy of one's own."""

from cityverse.ui import legal, shell

shell.show("nav.privacy", legal.draw_privacy)
