"""Who uses the suite: tenants, people and the teams, roles and keys they act with."""

from __future__ import annotations

from contracts import fields as f
from contracts.records import EVERYTHING, ONE_BY_ONE, READ_ONLY, VIEW, Command, Event, Part, Record

CUSTOM_TYPES: dict[str, f.Label] = {
    "text": ("Text", "文本"),
    "number": ("Number", "数字"),
    "money": ("Money", "金额"),
    "date": ("Date", "日期"),
    "instant": ("Date and time", "日期时间"),
    "choice": ("Choice", "单选"),
    "multi_choice": ("Several choices", "多选"),
    "reference": ("Reference", "引用"),
    "boolean": ("Yes or no", "是否"),
}
MOST_SYNONYMS, LONGEST_SYNONYM = 500, 80
ROLE_ACTIONS = "Grants: {record: {action: none | own | team | all}}, `*` for every record or action"


class Tenant(
    Record, name="identity.tenant", collection="tenants", label=("Tenant", "租户"), operations=VIEW, subtitle=("slug",)
):
    """A business that uses the suite. Its data is invisible to every other."""

    slug = f.Code(
        required=True,
        filter=True,
        search=5,
        pattern="[a-z0-9][a-z0-9-]{0,39}",
        label=("Short name", "简称"),
        help=("Names the tenant when signing in", "登录时用来指明租户"),
    )
    name = f.Text(required=True, search=10, label=("Name", "名称"))
    currency = f.Currency(
        default="USD", label=("Currency", "本位币"), help=("Suggested where none is given", "未填币种时的默认建议")
    )
    zone = f.Code(
        default="UTC",
        label=("Time zone", "时区"),
        help=("In which days, weeks and quarters begin", "按此时区划分日、周、季度"),
    )
    locale = f.Code(default="en", label=("Language", "语言"))


class Team(Record, name="identity.team", collection="teams", label=("Team", "团队"), retention=None):
    """People who share records. Teams may stand below another."""

    name = f.Text(required=True, filter=True, sort=True, search=10, label=("Name", "名称"))
    parent_id = f.Ref("identity.team", on_delete="restrict", label=("Parent team", "上级团队"))


class Role(Record, name="identity.role", collection="roles", label=("Role", "角色"), retention=None):
    """A named set of grants and field masks."""

    name = f.Text(required=True, filter=True, sort=True, search=10, label=("Name", "名称"))
    grants = f.Document(default=dict, label=("Grants", "权限"), help=(ROLE_ACTIONS, "权限：{记录: {操作: 范围}}"))
    masks = f.Document(
        default=dict,
        label=("Field masks", "字段屏蔽"),
        help=("{record: {hidden: [fields], read_only: [fields]}}", "{记录: {hidden: [字段], read_only: [字段]}}"),
    )


class User(
    Record,
    name="identity.user",
    collection="users",
    label=("User", "用户"),
    subtitle=("email", "title"),
    # The history of everything names them.
    retention=None,
    erases=True,
):
    """An employee who signs in. The manager tree decides who reports to whom."""

    name = f.Text(required=True, filter=True, sort=True, search=10, pii=True, label=("Name", "姓名"))
    email = f.Email(required=True, filter=True, sort=True, search=8, pii=True, label=("E-mail", "邮箱"))
    title = f.Text(max=100, search=2, label=("Title", "职位"))
    manager_id = f.Ref(
        "identity.user",
        on_delete="restrict",
        filter=True,
        label=("Manager", "上级"),
        help=("Who leads this user", "该用户的上级"),
    )
    member_of = f.Texts(
        f.Id(required=True),  # type: ignore[arg-type]
        default=list,
        label=("Teams", "所属团队"),
        help=(
            "Grants with the scope `team` reach the records of these teams",
            "范围为 team 的权限适用于这些团队的记录",
        ),
    )
    role_ids = f.Texts(
        f.Id(required=True),  # type: ignore[arg-type]
        default=list,
        label=("Roles", "角色"),
        help=("What the user may do is the sum of these roles", "用户权限为这些角色之和"),
    )
    locale = f.Code(default="en", label=("Language", "语言"))
    zone = f.Code(
        default="UTC",
        label=("Time zone", "时区"),
        help=("In which his days and times are read", "按此时区读取日期和时间"),
    )
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
    user_id = f.Ref(
        "identity.user",
        on_delete="restrict",
        required=True,
        once=True,
        filter=True,
        label=("Acts as", "代表用户"),
        help=("The key may do what this user may", "密钥拥有该用户的权限"),
    )
    expires_at = f.Instant(label=("Expires at", "到期时间"), help=("Empty: until it is deleted", "空：直到被删除"))
    prefix = f.Text(computed=True, max=20, label=("Prefix", "前缀"))
    secret = f.Text(
        computed=True, max=100, label=("Secret", "密钥"), help=("Only in the answer that makes it", "仅创建时返回")
    )


class Words(Part):
    """A label or help text that a tenant writes itself. Without Chinese words the English ones stand there too."""

    en = f.Text(required=True, max=200, label=("English", "英文"))
    zh = f.Text(max=200, label=("Chinese", "中文"))


class CustomChoice(Part):
    id = f.Id()
    value = f.Code(required=True, label=("Value", "值"))
    label = f.Embedded(Words, required=True, label=("Label", "标签"))


class CustomField(
    Record,
    name="identity.custom-field",
    collection="custom-fields",
    label=("Custom field", "自定义字段"),
    subtitle=("applies_to", "type"),
    operations=EVERYTHING - {"delete", "restore"},
):
    """A field that a tenant adds to a record. Its name is the key of its values and stays; what people read is the
    label. An inactive field is out of sight, and its values come back with it."""

    applies_to = f.Code(required=True, once=True, filter=True, label=("Collection", "所属集合"))
    name = f.Code(required=True, once=True, filter=True, pattern="[a-z][a-z0-9_]{0,39}", label=("Name", "字段名"))
    label = f.Embedded(Words, required=True, label=("Label", "标签"))
    help = f.Embedded(Words, label=("Help", "说明"))
    type = f.Choice(CUSTOM_TYPES, required=True, once=True, filter=True, label=("Type", "类型"))
    required = f.Boolean(
        default=False,
        label=("Required", "必填"),
        help=("Demanded of new records; old ones are left as they are", "新建时必填；已有记录不受影响"),
    )
    default = f.Value(label=("Default", "默认值"), help=("Given to new records", "新建记录时自动填入"))
    choices = f.Parts(CustomChoice, at_most=200, label=("Choices", "选项"))
    position = f.Integer(
        default=0,
        least=0,
        most=10_000,
        label=("Position", "顺序"),
        help=("Fields stand in this order, the smallest first", "字段按此顺序排列，小的在前"),
    )
    min = f.Number(label=("Least", "最小值"), help=("Of numbers and amounts", "用于数字和金额"))
    max = f.Number(label=("Most", "最大值"), help=("Of numbers and amounts", "用于数字和金额"))
    places = f.Integer(
        least=0, most=6, label=("Decimals", "小数位数"), help=("Digits behind the point of numbers", "数字的小数位数")
    )
    max_length = f.Integer(
        least=1, most=2_000, label=("Longest text", "最大长度"), help=("Characters of a text", "文本的最多字符数")
    )
    pattern = f.Text(
        max=200,
        label=("Pattern", "格式"),
        help=(
            "A row of characters, classes such as [A-Z] and \\d, and repeats such as {2,4}",
            "由字符、字符类（如 [A-Z]、\\d）和重复次数（如 {2,4}）组成",
        ),
    )
    target = f.Code(label=("Refers to", "引用集合"), once=True, help=("A collection", "集合名称"))
    indexed = f.Boolean(
        default=True,
        label=("Filtered and sorted by", "可筛选和排序"),
        help=("At most 20 fields of a collection", "每个集合最多 20 个字段"),
    )
    searchable = f.Boolean(
        default=False,
        label=("Found by search", "可搜索"),
        help=("Search finds records by its words", "可按其内容搜索到记录"),
    )
    active = f.Boolean(
        default=True,
        filter=True,
        label=("Active", "启用"),
        help=("Inactive fields are out of sight and keep their values", "停用的字段不再显示，但保留其值"),
    )


class NumberingRule(
    Record,
    name="identity.numbering-rule",
    collection="numbering-rules",
    label=("Numbering rule", "编号规则"),
    title="applies_to",
    subtitle=("pattern",),
    operations=READ_ONLY | {"update"},
):
    """How a tenant numbers the documents of one collection: one rule for each that has numbers, made with the tenant.

    A change counts from the next number on."""

    applies_to = f.Code(computed=True, filter=True, search=5, label=("Collection", "所属集合"))
    pattern = f.Text(
        required=True,
        max=50,
        label=("Pattern", "编号格式"),
        help=(
            "Such as SO-{year}-{seq:05}; it may have {year}, {yy}, {month}, {day}, {field} and has {seq} once",
            "例如 SO-{year}-{seq:05}；可用 {year}、{yy}、{month}、{day}、{field}，必须有一个 {seq}",
        ),
    )
    scope = f.Choice(
        {
            "none": ("Never", "不重置"),
            "year": ("Each year", "每年"),
            "month": ("Each month", "每月"),
            "day": ("Each day", "每日"),
        },
        default="year",
        label=("Begins again", "重新计数"),
        help=("When counting begins anew", "何时重新计数"),
    )
    scope_field = f.Code(
        label=("Counted by field", "按字段计数"),
        help=("A field with a sequence for each of its values", "该字段的每个值各自计数"),
    )
    gaps = f.Choice(
        {"none": ("Gap-free", "不允许缺号"), "allowed": ("Fast, with gaps", "快速，允许缺号")},
        default="none",
        label=("Gaps", "缺号策略"),
        help=(
            "None: without gaps. Allowed: faster, a failed write loses its number",
            "无：编号连续；允许：更快，写入失败会跳号",
        ),
    )
    zone = f.Code(default="UTC", label=("Time zone", "时区"), help=("In which the date is read", "按此时区取日期"))


class View(
    Record,
    name="identity.view",
    collection="views",
    label=("Saved view", "已存视图"),
    operations=ONE_BY_ONE,
    subtitle=("applies_to",),
):
    """How somebody looks at a list: columns, filter, sort and grouping; or a search that he keeps. Its owner's alone,
    or shared with a team.

    What it shows is always what the reader himself may see; a column that is hidden from him is missing.
    """

    name = f.Text(required=True, filter=True, sort=True, search=3, label=("Name", "名称"))
    applies_to = f.Code(
        required=True,
        once=True,
        filter=True,
        label=("Collection", "所属集合"),
        help=("Or `search`, for a saved search", "或 search，表示已存搜索"),
    )
    columns = f.Texts(
        f.Code(max=120, required=True),
        default=list,
        most=50,
        label=("Columns", "列"),
        help=("Names of fields, in their order", "字段名，按显示顺序"),
    )
    where = f.Document(
        default=dict,
        label=("Filter", "筛选"),
        help=(
            "A tree as in POST …/search; of a saved search its q, types and filters",
            "与 POST …/search 相同的条件树；已存搜索则为 q、types 和 filters",
        ),
    )
    sort = f.Code(max=200, label=("Sort", "排序"), help=("As in ?sort=", "与 ?sort= 相同"))
    group_by = f.Texts(
        f.Code(max=120, required=True),
        default=list,
        most=4,
        label=("Grouped by", "分组"),
        help=("Fields, or dates such as created_at:month", "字段，或日期如 created_at:month"),
    )
    shared = f.Boolean(
        default=False,
        filter=True,
        label=("Shared with the team", "与团队共享"),
        help=("Also for the team of its owner", "也供负责人的团队使用"),
    )


class NewPassword(Part):
    password = f.Text(required=True, min=12, max=256, label=("Password", "密码"))


class RetentionRule(
    Record,
    name="identity.retention-rule",
    collection="retention-rules",
    label=("Retention rule", "保留规则"),
    title="applies_to",
    operations=ONE_BY_ONE,
):
    """How long a tenant keeps deleted records of one collection before they are purged; at most one rule for each.

    A shorter time counts within a week for what is deleted already. What the law wants kept is kept no shorter than the
    collection declares."""

    applies_to = f.Code(required=True, once=True, max=60, filter=True, search=5, label=("Collection", "所属集合"))
    days = f.Integer(
        required=True,
        least=1,
        most=36_500,
        label=("Days", "保留天数"),
        help=("Between deleting and purging", "从删除到彻底清除的天数"),
    )


class Synonym(
    Record,
    name="identity.synonym",
    collection="synonyms",
    label=("Synonym", "同义词"),
    title="term",
    operations=ONE_BY_ONE,
):
    """Words that mean the same to a tenant, `ICBC` and `工商银行`: whoever types one of them into the search finds the
    others as well. It counts some seconds later and changes nothing that is stored."""

    term = f.Text(required=True, max=LONGEST_SYNONYM, filter=True, sort=True, label=("Word", "词语"))
    means = f.Texts(
        f.Text(max=LONGEST_SYNONYM, required=True),
        required=True,
        most=20,
        label=("Means the same", "同义"),
        help=("Other words for it; each of them finds all of them", "其他说法；搜索任何一个都会找到全部"),
    )


NumberingRuleCreated = Event("identity.numbering-rule.created", of=NumberingRule)
TenantCreated = Event("identity.tenant.created", of=Tenant)
UserDeactivated = Event("identity.user.deactivated", of=User)
UserActivated = Event("identity.user.activated", of=User)
deactivate = Command(
    "identity.user.deactivate",
    on=User,
    leads={"active": "inactive"},
    errors=("wrong_state",),
    emits=UserDeactivated,
    label=("Deactivate", "停用"),
)
activate = Command(
    "identity.user.activate",
    on=User,
    leads={"inactive": "active"},
    errors=("wrong_state",),
    emits=UserActivated,
    label=("Activate", "启用"),
)
reset_password = Command(
    "identity.user.reset-password", on=User, request=NewPassword, label=("Reset password", "重置密码")
)
