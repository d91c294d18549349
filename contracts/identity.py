"""Who uses the suite: tenants, people and the teams, roles and keys they act with."""

from __future__ import annotations

from contracts import fields as f
from contracts.records import ONE_BY_ONE, VIEW, Command, Event, Part, Record

ROLE_ACTIONS = "Grants: {record: {action: none | own | team | all}}, `*` for every record or action"


class Tenant(
    Record, name="identity.tenant", collection="tenants", label=("Tenant", "租户"), operations=VIEW, subtitle=("slug",)
):
    """A business that uses the suite. Its data is invisible to every other."""

    slug = f.Code(required=True, filter=True, search=5, pattern="[a-z0-9][a-z0-9-]{0,39}", label=("Short name", "简称"))
    name = f.Text(required=True, search=10, label=("Name", "名称"))
    currency = f.Currency(default="USD", label=("Currency", "本位币"))
    zone = f.Code(default="UTC", label=("Time zone", "时区"))
    locale = f.Code(default="en", label=("Language", "语言"))


class Team(Record, name="identity.team", collection="teams", label=("Team", "团队")):
    """People who share records. Teams may stand below another."""

    name = f.Text(required=True, filter=True, sort=True, search=10, label=("Name", "名称"))
    parent_id = f.Ref("identity.team", label=("Parent team", "上级团队"))


class Role(Record, name="identity.role", collection="roles", label=("Role", "角色")):
    """A named set of grants and field masks."""

    name = f.Text(required=True, filter=True, sort=True, search=10, label=("Name", "名称"))
    grants = f.Document(default=dict, label=("Grants", "权限"), help=(ROLE_ACTIONS, "权限：{记录: {操作: 范围}}"))
    masks = f.Document(
        default=dict,
        label=("Field masks", "字段屏蔽"),
        help=("{record: {hidden: [fields], read_only: [fields]}}", "{记录: {hidden: [字段], read_only: [字段]}}"),
    )


class User(Record, name="identity.user", collection="users", label=("User", "用户"), subtitle=("email", "title")):
    """An employee who signs in. The manager tree decides who reports to whom."""

    name = f.Text(required=True, filter=True, sort=True, search=10, label=("Name", "姓名"))
    email = f.Email(required=True, filter=True, sort=True, search=8, label=("E-mail", "邮箱"))
    title = f.Text(max=100, search=2, label=("Title", "职位"))
    manager_id = f.Ref("identity.user", filter=True, label=("Manager", "上级"))
    member_of = f.Texts(f.Id(required=True), default=list, label=("Teams", "所属团队"))  # type: ignore[arg-type]
    role_ids = f.Texts(f.Id(required=True), default=list, label=("Roles", "角色"))  # type: ignore[arg-type]
    locale = f.Code(default="en", label=("Language", "语言"))
    zone = f.Code(default="UTC", label=("Time zone", "时区"))
    phone = f.Text(max=40, pii=True, label=("Phone", "电话"))
    gets_copies = f.Boolean(
        default=False,
        label=("Gets copies", "抄送"),
        help=("Also receives what owners are told", "同时接收发给负责人的通知"),
    )
    hired_on = f.Date(label=("Hired on", "入职日期"))
    status = f.State(
        {"active": (("Active", "在职"), ("inactive",)), "inactive": (("Inactive", "停用"), ("active",))},
        filter=True,
        label=("Status", "状态"),
    )


class ApiKey(
    Record, name="identity.api-key", collection="api-keys", label=("API key", "API 密钥"), operations=ONE_BY_ONE
):
    """A long-lived secret for machines, shown once when it is made; it acts as its user."""

    name = f.Text(required=True, filter=True, search=5, label=("Name", "名称"))
    user_id = f.Ref("identity.user", required=True, once=True, filter=True, label=("Acts as", "代表用户"))
    expires_at = f.Instant(label=("Expires at", "到期时间"))
    prefix = f.Text(computed=True, max=20, label=("Prefix", "前缀"))
    secret = f.Text(
        computed=True, max=100, label=("Secret", "密钥"), help=("Only in the answer that makes it", "仅创建时返回")
    )


class NewPassword(Part):
    password = f.Text(required=True, min=12, max=256, label=("Password", "密码"))


TenantCreated = Event("identity.tenant.created", of=Tenant)
UserDeactivated = Event("identity.user.deactivated", of=User)
UserActivated = Event("identity.user.activated", of=User)
deactivate = Command(
    "identity.user.deactivate", on=User, errors=("wrong_state",), emits=UserDeactivated, label=("Deactivate", "停用")
)
activate = Command(
    "identity.user.activate", on=User, errors=("wrong_state",), emits=UserActivated, label=("Activate", "启用")
)
reset_password = Command(
    "identity.user.reset-password", on=User, request=NewPassword, label=("Reset password", "重置密码")
)
