"""Times the hot paths of Rounds beside a plain yardstick in the same run: `python -m bench [--only NAME] [--quick]`."""
