"""What the server stands on: sockets, one service per database, restart, desktop start, system service."""
