# Made by scripts/generate_sync.py from src/vintner_client/_async/resources/__init__.py: run `make sync`.
"""What the client's attributes are: one module a resource."""
