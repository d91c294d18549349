"""Every event, for ever: the feed and the subscriptions of outsiders."""

from __future__ import annotations

from contracts import fields as f
from contracts.records import ONE_BY_ONE, Command, Event, Record


class EventSubscription(
    Record,
    name="eventlog.event-subscription",
    collection="event-subscriptions",
    label=("Event subscription", "事件订阅"),
    operations=ONE_BY_ONE,
):
    """An outsider's view of the feed: what `user_id` may see, published to an exchange of its own.

    `amqp_url` carries a password and is only in the answer that makes or activates the subscription; it is null where
    the installation has no broker. `position` is how far it is published by now.
    """

    name = f.Text(required=True, filter=True, search=3, label=("Name", "名称"))
    user_id = f.Ref(
        "identity.user",
        on_delete="keep",
        required=True,
        once=True,
        filter=True,
        label=("Integration user", "集成用户"),
        help=("Events are published that this user may see", "只发布该用户可见的事件"),
    )
    types = f.Texts(
        f.Code(required=True, max=120, pattern=r"[a-z*]+(\.[a-z*-]+){0,2}"),
        default=list,
        label=("Event types", "事件类型"),
        help=("Empty: all. `sales.order.*` is one level", "空：全部"),
    )
    exchange = f.Text(computed=True, max=200, label=("Exchange", "交换机"))
    amqp_user = f.Text(computed=True, max=100, label=("Broker user", "消息服务器用户"))
    amqp_url = f.Text(computed=True, max=500, label=("Address", "地址"))
    position = f.Integer(computed=True, least=0, most=2**62, label=("Published up to", "已发布到"))
    replayed_at = f.Instant(computed=True, label=("Replayed at", "重放时间"))
    status = f.State(
        {"active": (("Active", "有效"), ("paused",)), "paused": (("Paused", "暂停"), ("active",))},
        filter=True,
        label=("Status", "状态"),
    )


SubscriptionReplayed = Event("eventlog.event-subscription.replayed", of=EventSubscription)
SubscriptionPaused = Event("eventlog.event-subscription.paused", of=EventSubscription)
SubscriptionActivated = Event("eventlog.event-subscription.activated", of=EventSubscription)
replay = Command(
    "eventlog.event-subscription.replay", on=EventSubscription, emits=SubscriptionReplayed, label=("Replay", "重放")
)
pause = Command(
    "eventlog.event-subscription.pause",
    on=EventSubscription,
    leads={"active": "paused"},
    errors=("wrong_state",),
    emits=SubscriptionPaused,
    label=("Pause", "暂停"),
)
activate = Command(
    "eventlog.event-subscription.activate",
    on=EventSubscription,
    leads={"paused": "active"},
    errors=("wrong_state",),
    emits=SubscriptionActivated,
    label=("Activate", "启用"),
)
