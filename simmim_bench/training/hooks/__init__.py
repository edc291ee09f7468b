"""Hooks of every run; a registry location."""
