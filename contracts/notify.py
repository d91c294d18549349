"""Telling people and machines: notifications, e-mail, reminders, webhooks, and the log of what was delivered."""

from __future__ import annotations

from contracts import fields as f
from contracts.records import INSERT_ONLY, ONE_BY_ONE, READ_ONLY, VIEW, Command, Event, Part, Record


class Notification(
    Record,
    name="notify.notification",
    collection="notifications",
    label=("Notification", "通知"),
    operations=INSERT_ONLY,
    title="title",
):
    """A message to one user, who is its owner. `about` names the record, `order/<id>`."""

    user_id = f.Ref("identity.user", on_delete="keep", required=True, once=True, filter=True, label=("To", "接收人"))
    title = f.Text(required=True, once=True, max=300, label=("Title", "标题"))
    body = f.Text(max=10_000, once=True, label=("Text", "正文"))
    about = f.Code(max=120, once=True, filter=True, pattern="[a-z-]+/[0-9a-f-]{36}", label=("About", "关于"))
    read_at = f.Instant(computed=True, label=("Read at", "阅读时间"))
    status = f.State(
        {"unread": (("Unread", "未读"), ("read",)), "read": (("Read", "已读"), ())},
        filter=True,
        label=("Status", "状态"),
    )


class Delivery(
    Record,
    name="notify.delivery",
    collection="deliveries",
    label=("Delivery", "投递记录"),
    operations=READ_ONLY,
    title="subject",
):
    """One message on its way through a channel, with every attempt."""

    channel = f.Choice({"email": ("E-mail", "邮件")}, computed=True, filter=True, label=("Channel", "渠道"))
    to = f.Text(computed=True, max=254, filter=True, pii=True, label=("To", "收件人"))
    subject = f.Text(computed=True, max=300, label=("Subject", "主题"))
    notification_id = f.Ref(
        "notify.notification", on_delete="keep", computed=True, filter=True, label=("Notification", "通知")
    )
    attempts = f.Integer(computed=True, least=0, label=("Attempts", "尝试次数"))
    error = f.Text(computed=True, max=2_000, label=("Error", "错误"))
    sent_at = f.Instant(computed=True, label=("Sent at", "发送时间"))
    status = f.State(
        {
            "queued": (("Queued", "排队"), ("sent", "failed", "queued")),
            "sent": (("Sent", "已发送"), ()),
            "failed": (("Failed", "失败"), ()),
        },
        filter=True,
        label=("Status", "状态"),
    )


class Following(
    Record,
    name="notify.following",
    collection="followings",
    label=("Following", "关注"),
    operations=ONE_BY_ONE,
    title="about",
):
    """Somebody wants to be told of every change of a record by others, as far as he may see it."""

    about = f.Code(
        required=True, once=True, max=120, filter=True, pattern="[a-z-]+/[0-9a-f-]{36}", label=("About", "关于")
    )
    user_id = f.Ref("identity.user", on_delete="keep", computed=True, filter=True, label=("Follower", "关注者"))


class Webhook(
    Record,
    name="notify.webhook",
    collection="webhooks",
    label=("Webhook", "网络钩子"),
    operations=ONE_BY_ONE,
    subtitle=("url",),
):
    """An address that gets the events which `user_id` may see, signed by the rules of Standard Webhooks.

    `secret` is only in the answer that makes or rotates it; for a day after rotating, both are signed with. After three
    days without one success, or when the address answers 410, it is disabled.
    """

    name = f.Text(required=True, filter=True, search=5, label=("Name", "名称"))
    url = f.Text(required=True, max=2_000, label=("Address", "地址"), help=("https only", "仅限 https"))
    types = f.Texts(
        f.Code(required=True, max=120, pattern=r"[a-z*]+(\.[a-z*-]+){0,2}"),
        default=list,
        label=("Event types", "事件类型"),
        help=("Empty: all. `sales.order.*` is one level", "空：全部"),
    )
    user_id = f.Ref(
        "identity.user",
        on_delete="keep",
        once=True,
        filter=True,
        label=("Acts as", "代表用户"),
        help=("Events are sent that this user may see", "只发送该用户可见的事件"),
    )
    secret = f.Text(
        computed=True, max=100, label=("Secret", "密钥"), help=("Only in the answer that makes it", "仅创建时返回")
    )
    disabled_reason = f.Text(computed=True, max=300, label=("Disabled because", "停用原因"))
    status = f.State(
        {
            "active": (("Active", "有效"), ("paused", "disabled")),
            "paused": (("Paused", "暂停"), ("active",)),
            "disabled": (("Disabled", "停用"), ("active",)),
        },
        filter=True,
        label=("Status", "状态"),
    )


class WebhookAttempt(Part):
    """One try: the status of the answer, or what kept it from coming."""

    at = f.Instant(required=True, label=("At", "时间"))
    status = f.Integer(label=("Answer", "应答码"))
    error = f.Text(max=300, label=("Error", "错误"))
    milliseconds = f.Integer(label=("Milliseconds", "毫秒"))


class WebhookDelivery(
    Record,
    name="notify.webhook-delivery",
    collection="webhook-deliveries",
    label=("Webhook delivery", "网络钩子投递"),
    operations=VIEW,
    title="event_type",
):
    """One event on its way to one webhook: at most ten attempts over 75 hours. Kept for 30 days."""

    webhook_id = f.Ref("notify.webhook", on_delete="keep", computed=True, filter=True, label=("Webhook", "网络钩子"))
    event_id = f.Id(computed=True, filter=True, label=("Event", "事件"))
    event_type = f.Code(computed=True, max=120, label=("Event type", "事件类型"))
    subject = f.Code(computed=True, max=120, label=("About", "关于"))
    occurred_at = f.Instant(computed=True, filter=True, sort=True, label=("Occurred at", "发生时间"))
    attempts = f.Integer(computed=True, least=0, label=("Attempts", "尝试次数"))
    due_at = f.Instant(computed=True, label=("Next attempt at", "下次尝试时间"))
    log = f.Parts(WebhookAttempt, computed=True, at_most=100, label=("Attempts in full", "尝试记录"))
    status = f.State(
        {
            "pending": (("Pending", "待投递"), ("delivered", "failed", "withheld")),
            "delivered": (("Delivered", "已投递"), ("pending",)),
            "failed": (("Failed", "失败"), ("pending",)),
            "withheld": (("Withheld", "已扣留"), ("pending",)),
        },
        filter=True,
        label=("Status", "状态"),
    )


class WebhookReplay(Part):
    """What to deliver again, within the last 30 days: one event, or all since an instant."""

    event_id = f.Id(label=("Event", "事件"))
    since = f.Instant(label=("Since", "起始时间"))
    until = f.Instant(label=("Until", "截止时间"))


NotificationRead = Event("notify.notification.read", of=Notification)
DeliverySent = Event("notify.delivery.sent", of=Delivery)
DeliveryDelayed = Event("notify.delivery.delayed", of=Delivery)
DeliveryFailed = Event("notify.delivery.failed", of=Delivery)
read = Command(
    "notify.notification.read",
    on=Notification,
    leads={"unread": "read"},
    errors=("wrong_state",),
    emits=NotificationRead,
    label=("Mark as read", "标为已读"),
)
WebhookPaused = Event("notify.webhook.paused", of=Webhook)
WebhookActivated = Event("notify.webhook.activated", of=Webhook)
WebhookDisabled = Event("notify.webhook.disabled", of=Webhook)
pause_webhook = Command(
    "notify.webhook.pause",
    on=Webhook,
    leads={"active": "paused"},
    errors=("wrong_state",),
    emits=WebhookPaused,
    label=("Pause", "暂停"),
)
activate_webhook = Command(
    "notify.webhook.activate",
    on=Webhook,
    leads={"paused": "active", "disabled": "active"},
    errors=("wrong_state",),
    emits=WebhookActivated,
    label=("Activate", "启用"),
)
rotate_secret = Command("notify.webhook.rotate-secret", on=Webhook, label=("Rotate the secret", "更换密钥"))
test_webhook = Command("notify.webhook.test", on=Webhook, errors=("wrong_state",), label=("Send a test", "发送测试"))
replay_webhook = Command(
    "notify.webhook.replay",
    on=Webhook,
    request=WebhookReplay,
    errors=("nothing_to_replay",),
    label=("Deliver again", "重新投递"),
)
