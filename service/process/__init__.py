"""What the server runs on: sockets, one service per database, restart, desktop start, and system service."""
