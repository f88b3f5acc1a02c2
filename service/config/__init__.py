"""Settings, the settings file as pages write it, and secrets."""
