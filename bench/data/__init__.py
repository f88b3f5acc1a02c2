"""The clinics that are measured and what is put into them."""
