"""Released checkpoints: publish, verify, load; other projects' weights; folding and export."""
