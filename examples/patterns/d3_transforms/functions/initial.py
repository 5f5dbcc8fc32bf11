def initial(row):
    return {**row, "initial": row["segment"][0].upper()}
