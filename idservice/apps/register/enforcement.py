"""Whether a process may start: what the register must have decided before.

DESIGN, section 5: without a valid charter nothing starts; the software must be the registered
version, with the inventory that was enacted; a live column must stand in it, and a verifier's
policies must be in force. The component's digest, which is over the source, is for outsiders to
compare: a process that was changed would not check itself. Once the charter has ended nothing is in
force to compare with, and nothing can be issued: an issuer may start, for whoever withdraws and for
its lists. Left out: what a process refuses while it runs, which follows from the bundle that it
took over.
"""

from collections.abc import Iterable

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from crypto.instant import UnixSeconds
from idservice import period
from idservice.apps.register import software
from idservice.apps.settings import UnusableSettings
from idservice.auditor import folder, inventory, schema
from idservice.register.reading.knowledge import Known
from idservice.register.state import InForce, end_of


def check_software(known: Known) -> None:
    """Refuse to start as another software than the one registered, while the charter lasts.

    Raises:
        UnusableSettings: why.
    """
    in_force = known.in_force
    if _ended(in_force):
        return
    own = software.component()
    registered = in_force.components.get(own.name)
    if registered is None:
        raise UnusableSettings(f"the register has no component {own.name} in force")
    if registered.version != own.version:
        raise UnusableSettings(
            f"the register has {own.name} {registered.version} in force, and this is {own.version}"
        )
    try:
        shipped = software.listed()
    except inventory.UnusableInventory as error:
        raise UnusableSettings("this software carries no data inventory") from error
    enacted = in_force.inventory
    if enacted is None:
        raise UnusableSettings("the register has no data inventory in force")
    beyond = sorted(set(shipped.columns) - set(enacted.columns))
    if beyond:
        raise UnusableSettings(f"columns that were not enacted: {', '.join(beyond)}")
    if shipped.digest != enacted.digest:
        raise UnusableSettings("the data inventory is another than the one enacted")


def check_columns(known: Known, databases: Iterable[Engine], *, office: str) -> None:
    """Refuse to run on a database with a column that the board did not enact, while it may.

    Raises:
        UnusableSettings: with the names of the columns.
    """
    if _ended(known.in_force):
        return
    inventory_in_force = known.in_force.inventory
    enacted = frozenset(inventory_in_force.columns if inventory_in_force else ())
    places = [f"{office}.{stem}" for stem in folder.DATABASES[office]]
    try:
        live = [column for each in databases for column in schema.columns(each)]
    except SQLAlchemyError as error:
        raise UnusableSettings("the schema cannot be compared with the register") from error
    beyond = [each for each in live if not any(f"{place}.{each}" in enacted for place in places)]
    if beyond:
        raise UnusableSettings(f"columns that were not enacted: {', '.join(sorted(beyond))}")


def check_policies(known: Known, configured: Iterable[str], *, now: UnixSeconds) -> None:
    """Refuse to start with a policy that is not in force.

    Raises:
        UnusableSettings: with the names of the policies.
    """
    today = period.day(now)
    missing = [
        name
        for name in configured
        if (found := known.trust.policies.get(name)) is None or today > found.expires
    ]
    if missing:
        raise UnusableSettings(f"policies that are not in force: {', '.join(sorted(missing))}")


def _ended(in_force: InForce) -> bool:
    """Say whether the charter has ended, by the witnesses' time: a wrong clock opens nothing."""
    return in_force.latest >= end_of(in_force.charter.sunset)
