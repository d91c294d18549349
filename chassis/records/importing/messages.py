"""Why a row was rejected, in Chinese: the sentences of the validators and of the import itself."""

from __future__ import annotations

import re

_CHINESE: tuple[tuple[str, str], ...] = (
    (r"Missing data for required field\.", "必填。"),
    (r"Field may not be null\.", "不能为空。"),
    (r"Must not be empty\.", "不能为空。"),
    (r"Unknown field\.", "没有这个字段。"),
    (r"Must be text\.", "必须是文本。"),
    (r"Control characters are not allowed\.", "不能含有控制字符。"),
    (r"At most (\d+) characters\.", r"最多 \1 个字符。"),
    (r"At most (\d+) decimals\.", r"最多 \1 位小数。"),
    (r"At most (\d+) decimals in (\w+)\.", r"\2 最多 \1 位小数。"),
    (r"Must match (.+)\.", r"格式不符：\1。"),
    (r"Not an ISO 4217 currency code\.", "不是有效的货币代码（ISO 4217）。"),
    (r"Must be a whole number\.", "必须是整数。"),
    (r"Must be between (\S+) and (\S+)\.", r"必须在 \1 与 \2 之间。"),
    (r"Must be above (\S+)\.", r"必须大于 \1。"),
    (r"Must be at least (\S+)\.", r"不能小于 \1。"),
    (r"Must be at most (\S+)\.", r"不能大于 \1。"),
    (r"Must not be negative\.", "不能为负数。"),
    (r"Must be a decimal number.*", "必须是数字。"),
    (r"Not a number in the given format\.", "不符合给定的数字格式。"),
    (r"Not a plain number: give its format\.", "不是普通数字：请指定格式。"),
    (r"Not a date as (.+)\.", r"不是 \1 格式的日期。"),
    (r"Not a date, YYYY-MM-DD: give the format\.", "不是 YYYY-MM-DD 格式的日期：请指定格式。"),
    (r"Not a date of the calendar\.", "日历上没有这一天。"),
    (r"Not a time as (.+)\.", r"不是 \1 格式的时间。"),
    (r"Not a time, .*", "不是时间：请指定格式。"),
    (r"Must be one of: (.+)\.", r"必须是其中之一：\1。"),
    (r"Must be yes or no.*", "必须是“是”或“否”。"),
    (r"Must be \{\"amount\".*", "必须有金额和币种。"),
    (r"Must be an id \(UUID\)\.", "必须是标识（UUID）。"),
    (r"Must be JSON\.", "必须是 JSON。"),
    (r"Must not repeat\.", "不能重复。"),
    (r"There is no such record\.", "没有这条记录。"),
    (r"There is no record (.+)\.", r"没有记录“\1”。"),
    (r"There is no record with (.+)\.", r"没有“\1”的记录。"),
    (r"There is a record with (.+) already\.", r"已有“\1”的记录。"),
    (r"Several records are called (.+)\.", r"有多条记录叫“\1”。"),
    (r"Several records have (.+)\.", r"有多条“\1”的记录。"),
    (r"Empty, and records are matched by it\.", "匹配字段为空。"),
    (r"You may not write this field\.", "您无权填写此字段。"),
    (r"You may not .*", "您没有此权限。"),
    (r"Another record has the external id (.+) of (.+)\.", r"另一条记录已有 \2 的外部编号 \1。"),
    (r"Another .+ has the same (.+)\.", r"另一条记录的 \1 相同。"),
    (r"Cannot be changed once it is set\.", "设定后不能更改。"),
    (r"The row has more cells than the header\.", "该行单元格多于表头。"),
    (r"A quote is not closed, or stands inside a cell\.", "引号没有闭合，或出现在单元格中间。"),
    (r"Each line must be a JSON object\.", "每行必须是一个 JSON 对象。"),
    (r"Not acceptable JSON: (.+)\.", r"不是合法的 JSON：\1。"),
)
_PATTERNS = [(re.compile(english), chinese) for english, chinese in _CHINESE]


def translated(message: str, locale: str) -> str:
    """The message in the locale's language; one that is not listed stays English rather than unsaid."""
    if not locale.startswith("zh"):
        return message
    for pattern, chinese in _PATTERNS:
        if found := pattern.fullmatch(message):
            return found.expand(chinese)
    return message
