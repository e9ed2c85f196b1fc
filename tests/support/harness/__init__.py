"""Starts the real daemon and talks to it: what the integration and end-to-end tests stand on."""
