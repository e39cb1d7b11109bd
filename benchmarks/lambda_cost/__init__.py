"""What a million verdicts cost on AWS, from what the functions' own containers use: `make bench-lambda`."""
