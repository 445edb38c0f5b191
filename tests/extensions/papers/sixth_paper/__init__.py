"""A sixth paper, for the test that adding a paper touches its own folder alone."""
