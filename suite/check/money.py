"""I5 and I6: what is owed is the sum of its ledger, money and points are conserved, and no column rounds them."""

from __future__ import annotations

from contracts.registry import SERVICES
from suite.check.rules import Fault, Seen, rule, seen
from suite.check.sources import Look


@rule("I5", "what is open of a receivable is the sum of its ledger, in one currency")
def open_is_the_sum(look: Look) -> Seen:
    return look.audit(
        "sales",
        "SELECT r.tenant_id, 'receivable ' || r.id AS subject, nullif(concat_ws('; ',"
        " CASE WHEN r.open IS DISTINCT FROM coalesce(sum(e.amount), 0)"
        "  THEN r.open || ' are open, the ledger says ' || coalesce(sum(e.amount), 0) END,"
        " CASE WHEN r.amount IS DISTINCT FROM coalesce(sum(e.amount) FILTER (WHERE e.kind = 'opened'), 0)"
        "  THEN 'its amount is ' || r.amount || ', opened were '"
        "   || coalesce(sum(e.amount) FILTER (WHERE e.kind = 'opened'), 0) END,"
        " CASE WHEN bool_or(e.currency <> r.open_currency) OR r.open_currency <> r.amount_currency"
        "  THEN 'more than one currency' END,"
        " CASE WHEN coalesce(r.credited, 0)"
        "   <> -coalesce(sum(e.amount) FILTER (WHERE e.kind IN ('credited', 'uncredited')), 0)"
        "  THEN 'credited are ' || coalesce(r.credited, 0) || ', the ledger says '"
        "   || -coalesce(sum(e.amount) FILTER (WHERE e.kind IN ('credited', 'uncredited')), 0) END,"
        " CASE WHEN bool_or(CASE WHEN e.kind IN ('opened', 'refunded', 'uncredited') THEN e.amount < 0"
        "   ELSE e.amount > 0 END) THEN 'an entry has the wrong sign' END), '') AS fault"
        " FROM receivables AS r"
        " LEFT JOIN receivable_entries AS e ON e.tenant_id = r.tenant_id AND e.receivable_id = r.id"
        " GROUP BY r.tenant_id, r.id, r.open, r.open_currency, r.amount, r.amount_currency, r.credited",
    )


@rule("I5", "the status of a receivable says what its ledger says")
def status_agrees(look: Look) -> Seen:
    return look.audit(
        "sales",
        "SELECT tenant_id, 'receivable ' || id AS subject, CASE WHEN NOT (CASE status"
        "  WHEN 'open' THEN open = amount WHEN 'partly_paid' THEN open > 0 AND open < amount ELSE open = 0 END)"
        "  THEN 'is ' || status || ' with ' || open || ' of ' || amount || ' open'"
        " WHEN overdue AND status NOT IN ('open', 'partly_paid') THEN 'is overdue although it is ' || status"
        " END AS fault FROM receivables",
    )


@rule("I5", "no column keeps numbers as binary fractions")
def no_floats(look: Look) -> Seen:
    rows, faults = 0, []
    for service in SERVICES:
        for column in look.catalogue(
            service,
            "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type,"
            " a.atttypid = ANY(ARRAY['real', 'double precision', 'money', 'real[]', 'double precision[]']::regtype[])"
            "  AS rounds FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')"
            " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2",
        ):
            rows += 1
            if column.rounds:
                faults.append(Fault(None, service, f"{column.relname}.{column.attname}", f"has the type {column.type}"))
    return seen(rows, faults)


@rule("I6", "by account and currency: opened = paid + credited + open + reversed + written off - refunded")
def receivables_are_conserved(look: Look) -> Seen:
    def entered(kind: str) -> str:
        return f"coalesce(sum(amount) FILTER (WHERE kind = '{kind}'), 0) AS {kind}"

    kinds = ("opened", "paid", "credited", "uncredited", "reversed", "written_off", "refunded")
    balance = " + ".join(f"coalesce({kind}, 0)" for kind in kinds)
    shown = " || ".join(f"' {kind} ' || coalesce({kind}, 0)" for kind in kinds)
    return look.audit(
        "sales",
        "SELECT tenant_id, 'account ' || account_id || ' in ' || currency AS subject,"
        f" CASE WHEN {balance} <> coalesce(still_open, 0)"
        f" THEN 'entries:' || {shown} || ', but open are ' || coalesce(still_open, 0) END AS fault"
        f" FROM (SELECT tenant_id, account_id, currency, {', '.join(map(entered, kinds))}"
        "  FROM receivable_entries GROUP BY 1, 2, 3) AS entries"
        " FULL JOIN (SELECT tenant_id, account_id, open_currency AS currency, sum(open) AS still_open"
        "  FROM receivables GROUP BY 1, 2, 3) AS balances USING (tenant_id, account_id, currency)",
    )


@rule("I6", "each payment is the sum of its allocations and of what is unallocated")
def payments_are_conserved(look: Look) -> Seen:
    return look.audit(
        "sales",
        "SELECT tenant_id, 'payment ' || id AS subject, CASE WHEN amount IS DISTINCT FROM unallocated + shares"
        "  OR unallocated_currency IS DISTINCT FROM amount_currency"
        " THEN 'is ' || amount || ', allocated ' || shares || ', unallocated ' || unallocated END AS fault"
        " FROM payments, LATERAL (SELECT coalesce(sum((share->'amount'->>'amount')::numeric), 0) AS shares"
        "  FROM jsonb_array_elements(allocations) AS share) AS allocated",
    )


@rule("I6", "each allocation of a payment is on the ledger, and each paid entry is an allocation")
def allocations_are_entered(look: Look) -> Seen:
    return look.audit(
        "sales",
        "SELECT tenant_id, cause AS subject, CASE"
        "  WHEN entered IS NULL THEN 'allocates ' || allocated || ', which is not on the ledger'"
        "  WHEN allocated IS NULL THEN 'is on the ledger with ' || entered || ', but no payment allocates it'"
        "  WHEN allocated <> entered THEN 'allocates ' || allocated || ', the ledger says ' || entered END AS fault"
        " FROM (SELECT tenant_id, 'payment:' || id || ':' || (share->>'id') AS cause, share->>'receivable_id' AS of,"
        "  (share->'amount'->>'amount')::numeric AS allocated"
        "  FROM payments, jsonb_array_elements(allocations) AS share) AS shares"
        " FULL JOIN (SELECT tenant_id, cause, receivable_id::text AS of, -amount AS entered FROM receivable_entries"
        "  WHERE kind = 'paid' AND starts_with(cause, 'payment:')) AS entries USING (tenant_id, cause, of)",
    )


@rule("I6", "each credit note is the sum of its allocations and of what is unallocated, where it has any")
def credit_notes_are_conserved(look: Look) -> Seen:
    return look.audit(
        "sales",
        "SELECT tenant_id, 'credit note ' || id AS subject, CASE WHEN of > 0 AND (total IS DISTINCT FROM unallocated"
        "  + shares OR unallocated_currency IS DISTINCT FROM total_currency)"
        " THEN 'is ' || total || ', allocated ' || shares || ', unallocated ' || unallocated END AS fault"
        " FROM credit_notes, LATERAL (SELECT count(*) AS of, coalesce(sum((share->'amount'->>'amount')::numeric), 0)"
        "  AS shares FROM jsonb_array_elements(allocations) AS share) AS allocated",
    )


@rule("I6", "each allocation of a credit note is on the ledger, and taken back once where the note is cancelled")
def credits_are_entered(look: Look) -> Seen:
    return look.audit(
        "sales",
        "SELECT tenant_id, cause AS subject, CASE"
        "  WHEN entered IS NULL THEN 'allocates ' || allocated || ', which is not on the ledger'"
        "  WHEN allocated IS NULL THEN 'is on the ledger with ' || entered || ', but no credit note says so'"
        "  WHEN allocated <> entered THEN 'allocates ' || allocated || ', the ledger says ' || entered END AS fault"
        " FROM (SELECT tenant_id, kind || ':' || id || ':' || (share->>'id') AS cause, share->>'receivable_id' AS of,"
        "  (share->'amount'->>'amount')::numeric * sign AS allocated FROM credit_notes,"
        "  jsonb_array_elements(allocations) AS share, (VALUES ('credit', 1), ('uncredit', -1)) AS way (kind, sign)"
        "  WHERE kind = 'credit' OR status = 'cancelled') AS shares"
        " FULL JOIN (SELECT tenant_id, cause, receivable_id::text AS of, -amount AS entered FROM receivable_entries"
        "  WHERE kind IN ('credited', 'uncredited')) AS entries USING (tenant_id, cause, of)",
    )


@rule("I6", "a point account is the sum of its entries")
def points_are_conserved(look: Look) -> Seen:
    return look.audit(
        "marketing",
        "SELECT tenant_id, 'points of account ' || account_id AS subject,"
        " CASE WHEN coalesce(balance, 0) <> coalesce(entered, 0)"
        " THEN 'the balance is ' || coalesce(balance, 0) || ', the entries say ' || coalesce(entered, 0) END AS fault"
        " FROM point_accounts FULL JOIN (SELECT tenant_id, account_id, sum(points) AS entered FROM point_entries"
        "  GROUP BY 1, 2) AS entries USING (tenant_id, account_id)",
    )


rules = (
    open_is_the_sum,
    status_agrees,
    no_floats,
    receivables_are_conserved,
    payments_are_conserved,
    allocations_are_entered,
    credit_notes_are_conserved,
    credits_are_entered,
    points_are_conserved,
)
