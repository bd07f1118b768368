"""Runs that KFP starts by a schedule."""
