"""The store on disk: write-ahead files, sealed segments, long history."""
