"""The databases that the tests run on: which there are, throw-away servers for them, a pytest run for each."""
