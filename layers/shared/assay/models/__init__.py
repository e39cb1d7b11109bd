"""How trained models are served: flat numpy arrays and small evaluators. numpy is the only dependency.

Every evaluator is held to parity with the library that trained it (`training.parity`) before a release is written.
"""
