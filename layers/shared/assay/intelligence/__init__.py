"""What the stream of scored events tells afterwards: as tables, as drift, as patterns. Needs polars."""
