"""What follows changes as they happen, over Realtime."""
