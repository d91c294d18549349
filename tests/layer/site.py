"""A record that no service has: what an author writes for it, and not a line more.

The declaration, which would stand in `contracts/customer.py`; the mapped class, in `services/customer/models.py`; the
store, in a file of its own. Its line in the service is in `conftest.py`, its migration beside this file.
"""

from __future__ import annotations

from chassis.database import Work
from chassis.numbering import next_number
from chassis.records import Store, Stored
from contracts import fields as f
from contracts.records import Address, Command, Event, Part, Record


class Room(Part):
    """A room of a site; `area` is in square metres."""

    id = f.Id(label=("Id", "标识"))
    name = f.Text(required=True, max=100, label=("Name", "名称"))
    area = f.Quantity(label=("Area", "面积"))


class Site(
    Record,
    name="customer.site",
    collection="sites",
    label=("Site", "场所"),
    number="ST-{year}-{seq:04}",
    subtitle=("kind",),
    merges=True,
    erases=True,
    likeness={"name": ("company", 5), "email": ("email", 4)},
):
    """A place of a customer: one field of every kind."""

    name = f.Text(required=True, filter=True, sort=True, search=8, label=("Name", "名称"))
    account_id = f.Ref("customer.account", on_delete="cascade", filter=True, label=("Account", "客户"))
    parent_id = f.Ref("customer.site", on_delete="restrict", filter=True, label=("Part of", "上级场所"))
    contact_id = f.Ref("customer.contact", on_delete="keep", label=("Caretaker", "负责人"))
    kind = f.Choice(
        {"shop": ("Shop", "店铺"), "office": ("Office", "办公室"), "store": ("Store", "仓库")},
        default="shop",
        filter=True,
        label=("Kind", "类型"),
    )
    email = f.Email(filter=True, search=6, pii=True, label=("E-mail", "邮箱"))
    seats = f.Integer(least=0, filter=True, sort=True, label=("Seats", "座位数"))
    area = f.Number(places=2, least=0, filter=True, label=("Area", "面积"))
    rent = f.Money(filter=True, sort=True, label=("Rent", "租金"))
    heated = f.Boolean(default=False, label=("Heated", "有供暖"))
    opened_on = f.Date(filter=True, sort=True, label=("Opened on", "开业日期"))
    inspected_at = f.Instant(filter=True, label=("Inspected at", "检查时间"))
    address = f.Embedded(Address, label=("Address", "地址"))
    languages = f.Texts(f.Code(required=True), default=list, filter=True, label=("Languages", "语言"))
    rooms = f.Parts(Room, label=("Rooms", "房间"))
    notes = f.Text(max=2_000, label=("Notes", "备注"))
    status = f.State(
        {"planned": (("Planned", "计划中"), ("open",)), "open": (("Open", "营业中"), ())},
        filter=True,
        label=("Status", "状态"),
    )


SiteOpened = Event("customer.site.opened", of=Site)
open_site = Command(
    "customer.site.open",
    on=Site,
    leads={"planned": "open"},
    errors=("wrong_state",),
    emits=SiteOpened,
    label=("Open", "开业"),
)


class StoredSite(Stored, record=Site):
    pass


sites = Store(StoredSite)


@sites.command(open_site)
def open_it(site: StoredSite, work: Work) -> None:
    """A site that opens is announced to authorities, so it gets its number now."""
    site.move("open")
    site.number = next_number(work, site)
