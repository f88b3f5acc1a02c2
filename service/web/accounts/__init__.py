"""Pages about accounts: signing in, proving who one is, one's own account, users and their guardians."""
