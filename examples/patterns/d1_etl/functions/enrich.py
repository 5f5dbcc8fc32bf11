REGIONS = {"DE": "EU", "FR": "EU", "US": "NA"}


def enrich(row):
    return {**row, "region": REGIONS.get(row["country"], "other")}
