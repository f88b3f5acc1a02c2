"""What runs in a process of its own: yardsticks, single rounds, `serve` with one part replaced."""
