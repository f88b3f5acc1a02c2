"""The executable, tried out as it is delivered."""
