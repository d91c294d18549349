"""Selling: orders and the money owed for them. What comes before an order is in `pipelines.py`."""

from __future__ import annotations

from contracts import fields as f
from contracts.pipelines import Reason
from contracts.records import INSERT_ONLY, LAW, READ_ONLY, Address, Command, Event, Part, Record

# What has come to its end does not hold the records that it names.
ENDED = ("completed", "rejected", "cancelled")
SETTLED = ("paid", "written_off", "reversed")


class OrderLine(Part):
    """One product on an order. `net` = round_half_up(quantity × unit_price × (1 − discount/100)), before tax."""

    id = f.Id()
    product_id = f.Ref("inventory.product", on_delete="restrict", until=ENDED, required=True, label=("Product", "产品"))
    quantity = f.Quantity(required=True, above=0, label=("Quantity", "数量"))
    unit_price = f.Money(
        places=6, label=("Unit price", "单价"), help=("The product's price if left out", "默认取产品价格")
    )
    discount_percent = f.Percent(default="0", label=("Discount", "折扣"))
    tax_rate = f.Percent(label=("Tax rate", "税率"), help=("The product's rate if left out", "默认取产品税率"))
    net = f.Money(computed=True, label=("Net", "净额"))
    tax = f.Money(computed=True, label=("Tax", "税额"))


class OrderHistory(Part):
    """What is known of an order that was shipped and paid before it came here."""

    shipped_on = f.Date(required=True, label=("Shipped and paid on", "发货付款日期"))


class Order(
    Record,
    name="sales.order",
    collection="orders",
    label=("Order", "订单"),
    number="SO-{year}-{seq:05}",
    title="number",
    subtitle=("account_name", "status"),
    retention=LAW,
):
    """A sales order, which is also the sales contract (销售合同)."""

    account_id = f.Ref(
        "customer.account", on_delete="restrict", until=ENDED, required=True, filter=True, label=("Account", "客户")
    )
    account_name = f.Text(computed=True, search=3, pii=True, label=("Account name", "客户名称"))
    currency = f.Currency(required=True, filter=True, label=("Currency", "币种"))
    ordered_on = f.Date(required=True, filter=True, sort=True, label=("Ordered on", "订购日期"))
    required_on = f.Date(label=("Required on", "要求日期"))
    warehouse_id = f.Ref(
        "inventory.warehouse",
        on_delete="restrict",
        until=ENDED,
        label=("Warehouse", "仓库"),
        help=("The default warehouse if left out", "默认取默认仓库"),
    )
    shipper_id = f.Ref("inventory.shipper", on_delete="keep", label=("Shipper", "承运商"))
    ship_to = f.Embedded(Address, pii=True, label=("Ship to", "收货地址"))
    ship_name = f.Text(search=1, pii=True, label=("Ship to name", "收货人"))
    lines = f.Parts(OrderLine, at_least=1, at_most=2_000, required=True, label=("Lines", "明细"))
    history = f.Embedded(
        OrderHistory,
        once=True,
        label=("History", "历史订单"),
        help=(
            "Takes the order over as completed: no stock moves, no saga runs, no points are earned",
            "作为已完成订单导入：不动库存、不走流程、不积分",
        ),
    )
    net = f.Money(computed=True, label=("Net", "净额"))
    tax = f.Money(computed=True, label=("Tax", "税额"))
    freight = f.Money(label=("Freight", "运费"))
    total = f.Money(computed=True, filter=True, sort=True, label=("Total", "合计"))
    reason = f.Text(computed=True, max=200, label=("Reason", "原因"))
    reason_detail = f.Text(computed=True, max=2_000, label=("Explanation", "说明"))
    placed_at = f.Instant(computed=True, filter=True, sort=True, label=("Placed at", "下单时间"))
    confirmed_at = f.Instant(computed=True, label=("Confirmed at", "确认时间"))
    shipped_at = f.Instant(computed=True, label=("Shipped at", "发货时间"))
    status = f.State(
        {
            "draft": (("Draft", "草稿"), ("placed", "cancelled")),
            "placed": (("Placed", "已下单"), ("confirmed", "rejected", "cancelled")),
            "confirmed": (("Confirmed", "已确认"), ("shipped", "cancelled")),
            "shipped": (("Shipped", "已发货"), ("completed",)),
            "completed": (("Completed", "已完成"), ("shipped",)),
            "rejected": (("Rejected", "已拒绝"), ()),
            "cancelled": (("Cancelled", "已取消"), ()),
        },
        filter=True,
        label=("Status", "状态"),
    )


class Receivable(
    Record,
    name="sales.receivable",
    collection="receivables",
    label=("Receivable", "应收款"),
    operations=READ_ONLY,
    number="RE-{year}-{seq:05}",
):
    """What an account owes for one order. `open` is the sum of its ledger: opened, paid, credited, reversed."""

    order_id = f.Ref("sales.order", on_delete="restrict", computed=True, filter=True, label=("Order", "订单"))
    account_id = f.Ref(
        "customer.account", on_delete="restrict", until=SETTLED, computed=True, filter=True, label=("Account", "客户")
    )
    amount = f.Money(computed=True, filter=True, sort=True, label=("Amount", "金额"))
    net = f.Money(computed=True, label=("Net of the order", "订单净额"))
    open = f.Money(computed=True, filter=True, sort=True, label=("Open", "未收"))
    credited = f.Money(computed=True, label=("Credited", "已贷记"), help=("Taken off by credit notes", "贷项冲减额"))
    due_on = f.Date(computed=True, filter=True, sort=True, label=("Due on", "到期日"))
    overdue = f.Boolean(computed=True, filter=True, label=("Overdue", "逾期"))
    status = f.State(
        {
            "open": (("Open", "未付"), ("partly_paid", "paid", "written_off", "reversed")),
            "partly_paid": (("Partly paid", "部分付款"), ("partly_paid", "open", "paid", "written_off", "reversed")),
            "paid": (("Paid", "已付清"), ("partly_paid", "open", "reversed")),
            "written_off": (("Written off", "已核销"), ()),
            "reversed": (("Reversed", "已冲销"), ()),
        },
        filter=True,
        label=("Status", "状态"),
    )


MOST_ALLOCATIONS = 500


class Allocation(Part):
    """Part of a payment or of a credit note that settles one receivable."""

    id = f.Id()
    receivable_id = f.Ref("sales.receivable", on_delete="restrict", required=True, label=("Receivable", "应收款"))
    amount = f.Money(required=True, label=("Amount", "金额"))


class Payment(
    Record,
    name="sales.payment",
    collection="payments",
    label=("Payment", "收款"),
    operations=INSERT_ONLY,
    number="PA-{year}-{seq:05}",
    title="reference",
):
    """Money received. It is never changed, but for what it settles; a refund is an entry of its own."""

    account_id = f.Ref(
        "customer.account", on_delete="keep", required=True, once=True, filter=True, label=("Account", "客户")
    )
    amount = f.Money(required=True, once=True, filter=True, sort=True, label=("Amount", "金额"))
    received_on = f.Date(required=True, once=True, filter=True, sort=True, label=("Received on", "收款日期"))
    reference = f.Text(once=True, search=5, filter=True, label=("Reference", "参考号"))
    allocations = f.Parts(Allocation, at_most=MOST_ALLOCATIONS, once=True, label=("Allocations", "核销明细"))
    unallocated = f.Money(computed=True, label=("Unallocated", "未核销"))


class CreditLine(Part):
    """What is credited of one product, priced as on an order."""

    id = f.Id()
    product_id = f.Ref("inventory.product", on_delete="keep", required=True, label=("Product", "产品"))
    quantity = f.Quantity(required=True, above=0, label=("Quantity", "数量"))
    unit_price = f.Money(
        places=6, label=("Unit price", "单价"), help=("The product's price if left out", "默认取产品价格")
    )
    discount_percent = f.Percent(default="0", label=("Discount", "折扣"))
    tax_rate = f.Percent(label=("Tax rate", "税率"), help=("The product's rate if left out", "默认取产品税率"))
    net = f.Money(computed=True, label=("Net", "净额"))
    tax = f.Money(computed=True, label=("Tax", "税额"))


class CreditNote(
    Record,
    name="sales.credit-note",
    collection="credit-notes",
    label=("Credit note", "贷项通知单"),
    operations=INSERT_ONLY,
    number="CN-{year}-{seq:05}",
    title="number",
    subtitle=("account_name", "reason"),
):
    """What an account was credited: goods taken back, or a price corrected. It is never changed, only allocated further
    and cancelled.

    With `allocations` it lowers what is open of receivables. Without any it is taken over as settled on `settled_on`,
    which moves no stock, no receivable and no points.
    """

    account_id = f.Ref(
        "customer.account", on_delete="keep", required=True, once=True, filter=True, label=("Account", "客户")
    )
    account_name = f.Text(computed=True, search=3, pii=True, label=("Account name", "客户名称"))
    order_id = f.Ref("sales.order", on_delete="keep", once=True, filter=True, label=("Order", "订单"))
    currency = f.Currency(required=True, once=True, filter=True, label=("Currency", "币种"))
    issued_on = f.Date(required=True, once=True, filter=True, sort=True, label=("Issued on", "开具日期"))
    settled_on = f.Date(
        required=True,
        once=True,
        label=("Settled on", "结清日期"),
        help=("When what it credits was given", "贷记款项结清的日期"),
    )
    reason = f.Text(required=True, max=500, once=True, search=1, label=("Reason", "原因"))
    lines = f.Parts(CreditLine, at_least=1, at_most=2_000, required=True, once=True, label=("Lines", "明细"))
    net, tax = f.Money(computed=True, label=("Net", "净额")), f.Money(computed=True, label=("Tax", "税额"))
    total = f.Money(computed=True, filter=True, sort=True, label=("Total", "合计"))
    allocations = f.Parts(Allocation, at_most=MOST_ALLOCATIONS, once=True, label=("Allocations", "核销明细"))
    unallocated = f.Money(computed=True, label=("Unallocated", "未核销"))
    status = f.State(
        {"issued": (("Issued", "已开具"), ("cancelled",)), "cancelled": (("Cancelled", "已取消"), ())},
        filter=True,
        label=("Status", "状态"),
    )
    cancel_reason = f.Text(max=200, computed=True, label=("Cancelled because", "取消原因"))


class Allocate(Part):
    """What is left of a payment or credit note, or a part of it, settles further receivables."""

    allocations = f.Parts(
        Allocation, at_least=1, at_most=MOST_ALLOCATIONS, required=True, label=("Allocations", "核销明细")
    )


class Ship(Part):
    shipper_id = f.Ref("inventory.shipper", label=("Shipper", "承运商"))


OrderPlaced = Event("sales.order.placed", of=Order)
OrderConfirmed = Event("sales.order.confirmed", of=Order)
OrderRejected = Event("sales.order.rejected", of=Order)
OrderShipped = Event("sales.order.shipped", of=Order)
OrderCompleted = Event("sales.order.completed", of=Order)
OrderCancelled = Event("sales.order.cancelled", of=Order)
OrderImported = Event("sales.order.imported", of=Order)
ReceivableImported = Event("sales.receivable.imported", of=Receivable)
ReceivableOpened = Event("sales.receivable.opened", of=Receivable)
ReceivablePaid = Event("sales.receivable.paid", of=Receivable)
ReceivablePartlyPaid = Event("sales.receivable.partly-paid", of=Receivable)
ReceivableReversed = Event("sales.receivable.reversed", of=Receivable)
ReceivableCredited = Event("sales.receivable.credited", of=Receivable)
ReceivableReopened = Event("sales.receivable.reopened", of=Receivable)
ReceivableOverdue = Event("sales.receivable.overdue", of=Receivable)
OrderReopened = Event("sales.order.reopened", of=Order)
PaymentAllocated = Event("sales.payment.allocated", of=Payment)
CreditNoteAllocated = Event("sales.credit-note.allocated", of=CreditNote)
CreditNoteCancelled = Event("sales.credit-note.cancelled", of=CreditNote)
place = Command(
    "sales.order.place",
    on=Order,
    leads={"draft": "placed"},
    answers=202,
    errors=("order_not_draft",),
    emits=OrderPlaced,
    label=("Place", "下单"),
)
cancel = Command(
    "sales.order.cancel",
    on=Order,
    leads={"draft": "cancelled", "placed": "cancelled", "confirmed": "cancelled"},
    request=Reason,
    errors=("order_not_cancellable", "order_shipping"),
    emits=OrderCancelled,
    label=("Cancel", "取消"),
)
ship = Command(
    "sales.order.ship",
    on=Order,
    leads={"confirmed": "shipped"},
    request=Ship,
    answers=202,
    errors=("order_not_confirmed", "order_shipping"),
    label=("Ship", "发货"),
)
OVER = ("over_allocated", "more_than_open", "receivable_closed")
allocate_payment = Command(
    "sales.payment.allocate",
    on=Payment,
    request=Allocate,
    errors=OVER,
    emits=PaymentAllocated,
    label=("Allocate", "核销"),
)
allocate_credit_note = Command(
    "sales.credit-note.allocate",
    on=CreditNote,
    request=Allocate,
    errors=("wrong_state", *OVER),
    emits=CreditNoteAllocated,
    label=("Allocate", "核销"),
)
cancel_credit_note = Command(
    "sales.credit-note.cancel",
    on=CreditNote,
    leads={"issued": "cancelled"},
    request=Reason,
    errors=("wrong_state", "receivable_closed"),
    emits=CreditNoteCancelled,
    label=("Cancel", "取消"),
)
