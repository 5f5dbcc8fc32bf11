def score(row):
    raise SystemExit("the model is gone")
