# SPDX-License-Identifier: MIT
"""The seed that a test draws from. It is the same in each run, so that what fails says something
about the sources and not about luck; BANGER_SEED=NUMBER takes another one, BANGER_SEED=random or
BANGER_CHECK_ALL=yes a new one. seed.h is the same for tests in C.
"""
import os
import random

USUAL = 1
TOLD = os.environ.get("BANGER_SEED", "")
IS_TOLD = TOLD not in ("", "random")  # one number, to repeat one run


def first():
    """The seed, which is printed; where several are taken, the first of them."""
    is_new = TOLD == "random" or os.environ.get("BANGER_CHECK_ALL") == "yes"
    drawn = random.SystemRandom().randrange(1, 1 << 30) if is_new else USUAL
    number = int(TOLD) if IS_TOLD else drawn
    print(f"BANGER_SEED={number} repeats this", flush=True)
    return number


def chance():
    """A generator that begins with it."""
    return random.Random(first())
