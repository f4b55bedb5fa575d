"""Figures as ratios against floors measured in the same run: `make bench`."""
