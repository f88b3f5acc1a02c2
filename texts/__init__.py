"""Tools for the texts people read: `make texts` collects them for translation, `make lint` checks them."""
