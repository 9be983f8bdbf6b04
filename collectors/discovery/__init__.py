"""Finding targets that come and go: files, HTTP, DNS."""
