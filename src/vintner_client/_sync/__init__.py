# Made by scripts/generate_sync.py from src/vintner_client/_async/__init__.py: run `make sync`.
"""The client that is written; `_sync` is generated from it by scripts/generate_sync.py."""
