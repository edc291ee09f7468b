"""Tables, files and web pages made of records."""
