"""Short PyTorch trainings, sick and healthy, written without knowledge of Undertow."""
