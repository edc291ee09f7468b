"""Dataset layouts, preparation and the embedded demo data; imports nothing by itself."""
