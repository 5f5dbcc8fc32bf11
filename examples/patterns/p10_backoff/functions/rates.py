"""A rate per country from a service that is down for the first two tries: each try asks it anew in a process of its own."""
import os

RATES = {"DE": 0.19, "FR": 0.20}


def connect():
    tries = 1 + (len(open("tries").read()) if os.path.exists("tries") else 0)
    with open("tries", "a") as file:
        file.write(".")
    if tries < 3:
        os._exit(75)  # what a program says that wants to be tried again: EX_TEMPFAIL


def with_tax(row):
    if not hasattr(with_tax, "connected"):
        connect()
        with_tax.connected = True
    row["tax"] = round(float(row["amount"]) * RATES[row["country"]], 2)
    return row
