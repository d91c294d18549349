"""What is sold and where it lies: products, warehouses, the stock ledger and reservations."""

from __future__ import annotations

from contracts import fields as f
from contracts.records import INSERT_ONLY, LAW, READ_ONLY, VIEW, Address, Ask, Command, Event, Part, Record


class Category(Record, name="inventory.category", collection="categories", label=("Category", "产品类别")):
    name = f.Text(required=True, filter=True, sort=True, search=8, label=("Name", "名称"))
    description = f.Text(max=2_000, search=1, label=("Description", "说明"))


class Supplier(
    Record, name="inventory.supplier", collection="suppliers", label=("Supplier", "供应商"), subtitle=("contact_name",)
):
    name = f.Text(required=True, filter=True, sort=True, search=10, label=("Name", "名称"))
    contact_name = f.Text(search=3, pii=True, label=("Contact", "联系人"))
    contact_title = f.Text(max=100, label=("Contact's title", "联系人职位"))
    phone = f.Text(max=40, search=4, label=("Phone", "电话"))
    fax = f.Text(max=40, label=("Fax", "传真"))
    website = f.Text(max=300, label=("Website", "网站"))
    address = f.Embedded(Address, label=("Address", "地址"))


class Product(
    Record,
    name="inventory.product",
    collection="products",
    label=("Product", "产品"),
    subtitle=("sku",),
    merges=True,
    likeness={"name": ("text", 5), "sku": ("code", 2)},
):
    """Something that can be ordered. Its price is the default of an order line."""

    name = f.Text(required=True, filter=True, sort=True, search=10, label=("Name", "名称"))
    sku = f.Code(filter=True, sort=True, search=10, label=("SKU", "货号"))
    category_id = f.Ref("inventory.category", on_delete="restrict", filter=True, label=("Category", "类别"))
    supplier_id = f.Ref("inventory.supplier", on_delete="restrict", filter=True, label=("Supplier", "供应商"))
    unit = f.Text(
        max=100,
        label=("Unit", "单位"),
        help=("In which it is counted, such as a box of twelve", "计量单位，如每箱十二个"),
    )
    price = f.Money(places=6, filter=True, sort=True, label=("Price", "价格"))
    tax_rate = f.Percent(default="0", label=("Tax rate", "税率"))
    reorder_level = f.Quantity(least=0, label=("Reorder level", "再订货点"))
    discontinued = f.Boolean(
        default=False, filter=True, label=("Discontinued", "已停产"), help=("No longer sold", "不再销售")
    )
    description = f.Text(max=10_000, search=1, label=("Description", "说明"))


class Warehouse(Record, name="inventory.warehouse", collection="warehouses", label=("Warehouse", "仓库")):
    name = f.Text(required=True, filter=True, sort=True, search=5, label=("Name", "名称"))
    code = f.Code(filter=True, label=("Code", "编码"))
    address = f.Embedded(Address, label=("Address", "地址"))
    default = f.Boolean(
        default=False,
        label=("Default warehouse", "默认仓库"),
        help=("Serves orders that name no warehouse", "未指定仓库的订单由此发货"),
    )


class Shipper(Record, name="inventory.shipper", collection="shippers", label=("Shipper", "承运商")):
    name = f.Text(required=True, filter=True, sort=True, search=5, label=("Name", "名称"))
    phone = f.Text(max=40, label=("Phone", "电话"))


class StockLine(Part):
    product_id = f.Ref("inventory.product", on_delete="keep", required=True, label=("Product", "产品"))
    quantity = f.Quantity(required=True, above=0, label=("Quantity", "数量"))


class StockMove(
    Record,
    name="inventory.stock-move",
    collection="stock-moves",
    label=("Stock move", "库存流水"),
    operations=INSERT_ONLY,
    title="kind",
    repoints=False,
):
    """One entry of the stock ledger. It is never changed; a mistake is answered by an opposite entry.

    `quantity` is what was asked for and positive, except in an adjustment, where the sign is the direction. `change` is
    its signed effect on `on_hand` of `warehouse_id`; a transfer writes a second entry at `to_warehouse_id`.
    """

    kind = f.Choice(
        {
            "receipt": ("Receipt", "入库"),
            "issue": ("Issue", "出库"),
            "adjustment": ("Adjustment", "调整"),
            "transfer": ("Transfer", "调拨"),
        },
        required=True,
        once=True,
        filter=True,
        label=("Kind", "类型"),
    )
    product_id = f.Ref(
        "inventory.product", on_delete="restrict", required=True, once=True, filter=True, label=("Product", "产品")
    )
    warehouse_id = f.Ref(
        "inventory.warehouse", on_delete="restrict", once=True, filter=True, label=("Warehouse", "仓库")
    )
    to_warehouse_id = f.Ref(
        "inventory.warehouse",
        on_delete="restrict",
        once=True,
        label=("To warehouse", "调入仓库"),
        help=("Of transfers: where the goods go", "调拨的目的仓库"),
    )
    quantity = f.Quantity(required=True, once=True, label=("Quantity", "数量"))
    change = f.Quantity(computed=True, label=("Change", "变动"))
    reason = f.Text(max=500, once=True, label=("Reason", "原因"))
    order_id = f.Ref("sales.order", on_delete="keep", computed=True, filter=True, label=("Order", "订单"))
    cause = f.Text(computed=True, max=120, label=("Cause", "起因"))


class StockLevel(
    Record,
    name="inventory.stock-level",
    collection="stock-levels",
    label=("Stock level", "库存"),
    operations=VIEW,
    title="id",
    repoints=False,
):
    """The balance of one product in one warehouse: sums of the ledger and of the active reservations."""

    product_id = f.Ref("inventory.product", on_delete="restrict", computed=True, filter=True, label=("Product", "产品"))
    warehouse_id = f.Ref(
        "inventory.warehouse", on_delete="restrict", computed=True, filter=True, label=("Warehouse", "仓库")
    )
    on_hand = f.Quantity(computed=True, filter=True, label=("On hand", "现有"))
    reserved = f.Quantity(computed=True, filter=True, label=("Reserved", "已预留"))
    available = f.Quantity(computed=True, filter=True, label=("Available", "可用"))


class Reservation(
    Record,
    name="inventory.reservation",
    collection="reservations",
    label=("Reservation", "库存预留"),
    operations=READ_ONLY,
    title="id",
):
    """Stock held for one order, all lines or none. `released` also marks a cancel that overtook its reserve."""

    order_id = f.Ref("sales.order", on_delete="keep", computed=True, filter=True, label=("Order", "订单"))
    warehouse_id = f.Ref(
        "inventory.warehouse", on_delete="restrict", computed=True, filter=True, label=("Warehouse", "仓库")
    )
    lines = f.Parts(StockLine, computed=True, at_most=2_000, label=("Lines", "明细"))
    reason = f.Text(computed=True, max=500, label=("Reason", "原因"))
    status = f.State(
        {
            "made": (("Made", "已预留"), ("released", "issued")),
            "refused": (("Refused", "缺货"), ()),
            "released": (("Released", "已释放"), ()),
            "issued": (("Issued", "已出库"), ("made",)),
        },
        filter=True,
        label=("Status", "状态"),
    )


class Shipment(
    Record,
    name="inventory.shipment",
    collection="shipments",
    label=("Shipment", "发货单"),
    operations=READ_ONLY,
    number="SH-{year}-{seq:05}",
):
    """Goods that left a warehouse for an order."""

    order_id = f.Ref("sales.order", on_delete="keep", computed=True, filter=True, label=("Order", "订单"))
    warehouse_id = f.Ref("inventory.warehouse", on_delete="restrict", computed=True, label=("Warehouse", "仓库"))
    shipper_id = f.Ref(
        "inventory.shipper", on_delete="restrict", computed=True, filter=True, label=("Shipper", "承运商")
    )
    shipped_at = f.Instant(computed=True, filter=True, sort=True, label=("Shipped at", "发货时间"))
    lines = f.Parts(StockLine, computed=True, at_most=2_000, label=("Lines", "明细"))
    status = f.State(
        {"shipped": (("Shipped", "已发货"), ("returned",)), "returned": (("Returned", "已退回"), ())},
        filter=True,
        label=("Status", "状态"),
    )


class PurchaseLine(Part):
    id = f.Id()
    product_id = f.Ref(
        "inventory.product", on_delete="restrict", until=("received",), required=True, label=("Product", "产品")
    )
    quantity = f.Quantity(required=True, above=0, label=("Quantity", "数量"))
    unit_price = f.Money(places=6, label=("Unit price", "单价"))


class PurchaseOrder(
    Record,
    name="inventory.purchase-order",
    collection="purchase-orders",
    label=("Purchase order", "采购单"),
    number="PO-{year}-{seq:05}",
    retention=LAW,
):
    """Goods ordered from a supplier; receiving it writes the receipts."""

    supplier_id = f.Ref(
        "inventory.supplier", on_delete="restrict", required=True, filter=True, label=("Supplier", "供应商")
    )
    warehouse_id = f.Ref("inventory.warehouse", on_delete="restrict", label=("Warehouse", "仓库"))
    ordered_on = f.Date(filter=True, sort=True, label=("Ordered on", "订购日期"))
    lines = f.Parts(PurchaseLine, at_least=1, at_most=2_000, required=True, label=("Lines", "明细"))
    status = f.State(
        {
            "draft": (("Draft", "草稿"), ("confirmed",)),
            "confirmed": (("Confirmed", "已确认"), ("received",)),
            "received": (("Received", "已收货"), ()),
        },
        filter=True,
        label=("Status", "状态"),
    )


class Reserve(Part):
    """All lines of an order, or none of them."""

    order_id = f.Id(required=True)
    warehouse_id = f.Id()
    lines = f.Parts(StockLine, at_least=1, at_most=2_000, required=True)
    owner_id = f.Id()
    team_id = f.Id()


class Reserved(Part):
    reservation_id = f.Id(required=True)
    warehouse_id = f.Id(required=True)


class OrderOnly(Part):
    order_id = f.Id(required=True)


class Issue(Part):
    order_id = f.Id(required=True)
    shipper_id = f.Id()


class Issued(Part):
    shipment_id = f.Id(required=True)
    shipped_at = f.Instant(required=True)


ReservationMade = Event("inventory.reservation.made", of=Reservation)
ReservationRefused = Event("inventory.reservation.refused", of=Reservation)
ReservationReleased = Event("inventory.reservation.released", of=Reservation)
ReservationIssued = Event("inventory.reservation.issued", of=Reservation)
ShipmentShipped = Event("inventory.shipment.shipped", of=Shipment)
ShipmentReturned = Event("inventory.shipment.returned", of=Shipment)
PurchaseConfirmed = Event("inventory.purchase-order.confirmed", of=PurchaseOrder)
PurchaseReceived = Event("inventory.purchase-order.received", of=PurchaseOrder)

reserve = Ask("inventory.reserve", request=Reserve, reply=Reserved, refusals=("stock", "cancelled"))
release = Ask("inventory.release", request=OrderOnly)
issue = Ask("inventory.issue", request=Issue, reply=Issued, refusals=("no_reservation",))
take_back = Ask("inventory.take-back", request=OrderOnly)

confirm_purchase = Command(
    "inventory.purchase-order.confirm",
    on=PurchaseOrder,
    leads={"draft": "confirmed"},
    errors=("wrong_state",),
    emits=PurchaseConfirmed,
    label=("Confirm", "确认"),
)
receive_purchase = Command(
    "inventory.purchase-order.receive",
    on=PurchaseOrder,
    leads={"confirmed": "received"},
    errors=("wrong_state",),
    emits=PurchaseReceived,
    label=("Receive", "收货"),
)
