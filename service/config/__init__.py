"""Settings, writing the settings file from pages, and secrets."""
