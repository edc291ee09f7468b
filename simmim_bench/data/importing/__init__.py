"""Bring data of any usual layout below the data root, under a name of the user's."""
