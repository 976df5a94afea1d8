"""What turns cost: the catalogue's price at the time when a turn was first seen, kept with it."""

from __future__ import annotations

import sqlite3

from openclaw.errors import OpenclawError
from openclaw.models import catalogue
from openclaw.settings import Settings
from openclaw.store import db, ledger


def fill(store: sqlite3.Connection, settings: Settings) -> str:
    """Give a price to every turn that has none and whose model's is known. Why that was not possible, for people.

    Tokens are counted whatever is wrong with prices.
    """
    pairs = ledger.unpriced(store)
    if not pairs:
        return ""
    try:
        known = catalogue.load(settings)
    except OpenclawError as error:
        return error.message
    priced = [(agent, model, price) for agent, model in pairs if (price := known.paid(model, agent)) is not None]
    if priced:
        with db.transaction(store):
            for agent, model, price in priced:
                ledger.price(store, agent, model, price.cost)
    return known.problem
