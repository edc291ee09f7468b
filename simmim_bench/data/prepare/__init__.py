"""Bring data sets into place: download, unpack, convert, check, pack."""
