"""The measured figures: `python -m benchmarks`. Never imported by product code."""
