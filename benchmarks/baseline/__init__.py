"""Our own builds of what one would use otherwise, so that every ratio is taken in one run.

Not product code: they load models that the same run has just trained, with the training libraries themselves.
"""
