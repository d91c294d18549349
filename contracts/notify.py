"""Telling people: in-app notifications, e-mail, reminders and the log of what was delivered."""

from __future__ import annotations

from contracts import fields as f
from contracts.records import INSERT_ONLY, READ_ONLY, Command, Event, Record


class Notification(
    Record,
    name="notify.notification",
    collection="notifications",
    label=("Notification", "通知"),
    operations=INSERT_ONLY,
    title="title",
):
    """A message to one user, who is its owner. `about` names the record, `order/<id>`."""

    user_id = f.Ref("identity.user", required=True, once=True, filter=True, label=("To", "接收人"))
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
    notification_id = f.Ref("notify.notification", computed=True, filter=True, label=("Notification", "通知"))
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


NotificationRead = Event("notify.notification.read", of=Notification)
DeliverySent = Event("notify.delivery.sent", of=Delivery)
DeliveryDelayed = Event("notify.delivery.delayed", of=Delivery)
DeliveryFailed = Event("notify.delivery.failed", of=Delivery)
read = Command(
    "notify.notification.read",
    on=Notification,
    errors=("wrong_state",),
    emits=NotificationRead,
    label=("Mark as read", "标为已读"),
)
