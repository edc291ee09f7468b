"""Manifests, records and the leaderboard made of them; imports neither torch nor mmengine."""
