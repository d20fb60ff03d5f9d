"""The client that is written; `_sync` is generated from it by scripts/generate_sync.py."""
