"""The leaderboard as one self-contained web page."""
