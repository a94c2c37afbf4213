"""What classifiers of surfaces never seen are made of."""
